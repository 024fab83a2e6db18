#include "common/optim/adamw.h"

#include <algorithm>

#include "common/kernels/global_norm.h"
#include "common/ops/autocast.h"
#include "common/ops/autograd.h"
#include "common/ops/dispatch.h"
#include "common/ops/ops.h"

namespace gpt2::optim {
namespace {

std::vector<Tensor> parameters_of(const nn::Module& model) {
  std::vector<Tensor> parameters;
  for (const auto& [name, tensor] : model.named_parameters()) parameters.push_back(*tensor);
  return parameters;
}

// Widens this rank's parts of the block, piece by piece: a second copy of all weights might not fit into memory.
void copy_parts(const Tensor& to, const Tensor& block, const Partition& partition) {
  constexpr int64_t kPiece = int64_t{1} << 20;
  int64_t kept = 0;
  for (const Range& part : partition.parts()) {
    for (int64_t at = part.begin; at < part.end; at += kPiece) {
      const int64_t n = std::min(kPiece, part.end - at);
      copy_(to.slice(0, kept, n), block.slice(0, at, n).to(DType::f32));
      kept += n;
    }
  }
}

// What lies between the parameters of a block of n values, because each begins at an aligned address.
std::vector<Range> gaps_between(std::vector<Tensor> parameters, int64_t n) {
  std::sort(parameters.begin(), parameters.end(),
            [](const Tensor& a, const Tensor& b) { return a.offset() < b.offset(); });
  std::vector<Range> gaps;
  int64_t end = 0;
  for (const Tensor& p : parameters) {
    if (p.offset() > end) gaps.push_back({end, p.offset()});
    end = p.offset() + p.numel();
  }
  if (n > end) gaps.push_back({end, n});
  return gaps;
}

AdamWFactors factors_of(const AdamWOptions& o) { return {o.beta1, o.beta2, o.eps, o.weight_decay}; }

}  // namespace

AdamW::AdamW(const nn::Module& model, const AdamWOptions& options)
    : AdamW({parameters_of(model), options.weight_decay}, {{}, 0}, options) {
  bf16_copy_ = nullptr;
  for (const Tensor& p : parameters_) p.variable()->bf16_copy = nullptr;
}

AdamW::AdamW(const ParameterGroup& decayed, const ParameterGroup& not_decayed, const AdamWOptions& options)
    : options_(options), parameters_(decayed.parameters) {
  options_.weight_decay = decayed.weight_decay;
  parameters_.insert(parameters_.end(), not_decayed.parameters.begin(), not_decayed.parameters.end());
  require(!parameters_.empty(), "AdamW: the model has no parameters");
  require(not_decayed.weight_decay == 0, "AdamW: the second group's weight decay is {}, not 0",
          not_decayed.weight_decay);
  for (const Tensor& p : decayed.parameters) decayed_end_ = std::max(decayed_end_, p.offset() + p.numel());
  for (const Tensor& p : not_decayed.parameters) {
    require(p.offset() >= decayed_end_, "AdamW: parameters that decay must lie before those that do not");
  }
  make_blocks();
}

// Allocates gradients and moments with the same layout as the parameters.
void AdamW::make_blocks() {
  const auto storage = parameters_[0].storage();
  const DType dtype = parameters_[0].dtype();
  const int64_t n = int64_t(storage->bytes() / size_of(dtype));
  const Device device = storage->device();
  weights_ = Tensor(storage, 0, {n}, {1}, dtype);
  gradients_ = empty({n}, device, dtype);
  zero_(gradients_);
  gaps_ = gaps_between(parameters_, n);
  partition_.emplace(n, options_.rank, options_.world_size);
  first_moment_ = zeros({partition_->size()}, device);
  second_moment_ = zeros({partition_->size()}, device);
  if (dtype == DType::f32 && options_.world_size == 1) bf16_copy_ = std::make_shared<Bf16Copy>(weights_);
  if (dtype == DType::bf16 && options_.master_weights) {
    master_weights_ = empty({partition_->size()}, device);
    copy_parts(master_weights_, weights_, *partition_);
  }
  for (const Tensor& p : parameters_) {
    require(p.storage() == storage, "AdamW: the parameters lie apart; call model.to(device) first");
    p.variable()->grad = gradients_.as_strided(p.shape(), p.strides(), p.offset());
    p.variable()->stale = true;
    p.variable()->bf16_copy = bf16_copy_;
  }
  state_ = std::make_shared<Storage>(device, sizeof(AdamWState));
  const AdamWState start{.lr = options_.lr, .steps = 0, .decay = 0, .step_size = 0, .root_correction2 = 0};
  backend(device).copy(state(), &start, sizeof start, context().stream(device));
  norm_ = empty({}, device);
  squares_ = zeros({norm_chunks(n)}, device);
}

void AdamW::zero_grad() {
  for (const Tensor& p : parameters_) p.variable()->stale = true;
  if (options_.world_size == 1) return;
  // A rank's gradients of other ranks' parts are undefined after a step. Those of the gaps would be added up.
  for (const Range& gap : gaps_) zero_(gradients_.slice(0, gap.begin, gap.size()));
}

void AdamW::finish_gradients() {
  for (const Tensor& p : parameters_) {
    if (!p.variable()->stale) continue;  // backward() has not reached it: its gradient is zero
    zero_(p.variable()->grad);
    p.variable()->stale = false;
  }
}

Tensor AdamW::sum_squares() {
  finish_gradients();
  with_type(gradients_.dtype(), [&](auto t) {
    using G = decltype(t);
    if (options_.world_size > 1) zero_(squares_);  // it holds the sums of all ranks
    for (const Range& part : partition_->parts()) {
      if (part == partition_->undivided() && options_.rank > 0) continue;  // rank 0 counts what all have
      const Tensor sums = squares_.as_strided({norm_chunks(part.size())}, {1}, part.begin / kNormChunk),
                   gradients = gradients_.as_strided({part.size()}, {1}, part.begin);
      DISPATCH(squares_.device(), sum_squares, sums.data<float>(), gradients.data<G>(), part.size());
    }
  });
  return squares_;
}

Tensor AdamW::clip_grad_norm(double max_norm, const Tensor& squares) {
  DISPATCH(norm_.device(), root_of_sum, norm_.data<float>(), squares.data<float>(), squares.numel());
  max_norm_ = max_norm;
  return norm_;
}

Tensor AdamW::clip_grad_norm(double max_norm) {
  require(options_.world_size == 1,
          "AdamW: this rank has a part of the gradients; give the sums of all ranks");
  finish_gradients();
  with_type(gradients_.dtype(), [&](auto t) {
    DISPATCH(norm_.device(), global_norm, norm_.data<float>(), gradients_.data<decltype(t)>(),
             squares_.data<float>(), gradients_.numel());
  });
  max_norm_ = max_norm;
  return norm_;
}

void AdamW::set_lr(double lr) {
  const Device device = weights_.device();
  backend(device).copy(&state()->lr, &lr, sizeof lr, context().stream(device));
}

int64_t AdamW::steps() const {
  const Device device = weights_.device();
  int64_t steps = 0;
  backend(device).copy(&steps, &state()->steps, sizeof steps, context().stream(device));
  synchronize(device);
  return steps;
}

void AdamW::set_steps(int64_t steps) {
  const Device device = weights_.device();
  backend(device).copy(&state()->steps, &steps, sizeof steps, context().stream(device));
  synchronize(device);
}

std::vector<AdamW::NamedBlock> AdamW::blocks() const {
  std::vector<NamedBlock> blocks = {{"first_moment", first_moment_}, {"second_moment", second_moment_}};
  if (master_weights_.defined()) blocks.push_back({"master_weights", master_weights_});
  return blocks;
}

// The float32 weights and those in bf16: the parameters and the copy for matrix products, or the other way round.
void AdamW::point_to_weights(AdamWBlock<float>& block, const Tensor& weights, const Tensor&) {
  block.w = weights.data<float>();
  block.low = bf16_copy_ ? bf16_copy_->written_with() : nullptr;
}

void AdamW::point_to_weights(AdamWBlock<bf16>& block, const Tensor& weights, const Tensor& masters) {
  block.w = masters.defined() ? masters.data<float>() : nullptr;
  block.low = weights.data<bf16>();
  block.seed = options_.rounding_seed;
}

// Updates a part; what is kept of it begins at value `kept` of moments and master weights.
template <class G>
void AdamW::update(const Range& part, int64_t kept) {
  const auto values = [&](const Tensor& block, int64_t begin) {
    return block.defined() ? block.as_strided({part.size()}, {1}, begin) : Tensor();
  };
  AdamWBlock<G> block{};
  point_to_weights(block, values(weights_, part.begin), values(master_weights_, kept));
  block.g = values(gradients_, part.begin).template data<G>();
  block.m = values(first_moment_, kept).template data<float>();
  block.v = values(second_moment_, kept).template data<float>();
  block.n = part.size();
  block.decayed = std::clamp<int64_t>(decayed_end_ - part.begin, 0, part.size());
  block.first = part.begin;
  DISPATCH(weights_.device(), adamw, block, state(), max_norm_ > 0 ? norm_.data<float>() : nullptr,
           float(max_norm_), factors_of(options_));
}

void AdamW::skip_step() {
  DISPATCH(weights_.device(), adamw_advance, state(), factors_of(options_));
  max_norm_ = 0;
}

void AdamW::step() {
  finish_gradients();
  DISPATCH(weights_.device(), adamw_advance, state(), factors_of(options_));
  if (!bf16_copy_) weights_.storage()->count_write();  // else written_with() does
  int64_t kept = 0;
  for (const Range& part : partition_->parts()) {
    with_type(gradients_.dtype(), [&](auto t) { update<decltype(t)>(part, kept); });
    kept += part.size();
  }
  max_norm_ = 0;
}

}  // namespace gpt2::optim
