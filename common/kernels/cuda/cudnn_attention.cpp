#include "common/kernels/cuda/cudnn_attention.h"

#include "common/base/error.h"

#ifdef GPT2_HAVE_CUDNN

#include <cudnn_frontend.h>

#include <array>
#include <compare>
#include <map>
#include <memory>
#include <tuple>
#include <unordered_map>

#include "common/tensor/memory.h"

namespace gpt2::cuda {
namespace {

namespace fe = cudnn_frontend;
using Node = std::shared_ptr<fe::graph::Tensor_attributes>;

enum Id : int64_t { kQ = 1, kK, kV, kY, kLogSumExp, kDy, kDq, kDk, kDv };

struct Strides {
  int64_t batch, head, row;

  auto operator<=>(const Strides&) const = default;
};

// The arguments of one call. It is a backward pass if there is a dy.
struct Call {
  AttentionShape shape;
  std::map<Id, Strides> strides;
  std::unordered_map<int64_t, void*> data;

  template <class T>
  void add(Id id, const HeadsView<T>& heads) {
    strides[id] = {heads.batch_stride, heads.head_stride, heads.row_stride};
    data[id] = const_cast<bf16*>(heads.data);
  }
  bool is_backward() const { return strides.contains(kDy); }
};

// The compiled graph of a call, or the reason why cuDNN refuses it.
class Plan {
 public:
  // `target` is a handle, which has a GPU, or the description of a GPU that is not there.
  template <class Target>
  Plan(const Target& target, const Call& call) : shape_(call.shape), strides_(call.strides) {
    graph_.set_io_data_type(fe::DataType_t::BFLOAT16)
        .set_intermediate_data_type(fe::DataType_t::FLOAT)
        .set_compute_data_type(fe::DataType_t::FLOAT);
    call.is_backward() ? describe_backward() : describe_forward();
    auto status = build(target);
    if (status.is_good()) status = graph_.get_workspace_size(workspace_bytes_);
    if (status.is_bad()) refusal_ = "cuDNN: " + status.get_message();
  }

  const std::string& refusal() const { return refusal_; }
  int64_t workspace_bytes() const { return workspace_bytes_; }

  void run(cudnnHandle_t handle, Stream stream, Call& call) {
    require(refusal_.empty(), "attention of {} heads of size {}, T {}: {}", shape_.heads, shape_.hs, shape_.T,
            refusal_);
    const Storage workspace(stream.device, size_t(workspace_bytes_));
    auto status = graph_.execute(handle, call.data, workspace.data());
    require(status.is_good(), "attention: cuDNN: {}", status.get_message());
  }

 private:
  fe::error_t build(cudnnHandle_t handle) { return graph_.build(handle, {fe::HeurMode_t::A}); }
  fe::error_t build(const std::shared_ptr<fe::DeviceProperties>& described) {
    graph_.set_device_properties(described);
    return graph_.build({fe::HeurMode_t::A});
  }
  // (B, heads, T, hs) in the caller's memory.
  void lay_out(Node node, Id id) const {
    const Strides& s = strides_.at(id);
    node->set_uid(id)
        .set_dim({shape_.B, shape_.heads, shape_.T, shape_.hs})
        .set_stride({s.batch, s.head, s.row, 1});
  }
  // (B, heads, T, 1), contiguous.
  void lay_out_log_sum_exp(Node node) const {
    node->set_uid(kLogSumExp)
        .set_dim({shape_.B, shape_.heads, shape_.T, 1})
        .set_stride({shape_.heads * shape_.T, shape_.T, 1, 1})
        .set_data_type(fe::DataType_t::FLOAT);
  }
  Node input(Id id) {
    const Node node = graph_.tensor(fe::graph::Tensor_attributes());
    id == kLogSumExp ? lay_out_log_sum_exp(node) : lay_out(node, id);
    return node;
  }
  void output(Node node, Id id) const {
    id == kLogSumExp ? lay_out_log_sum_exp(node) : lay_out(node, id);
    node->set_output(true);
  }

  // A position sees itself and earlier positions: nothing to the right of the diagonal.
  void describe_forward() {
    const auto options = fe::graph::SDPA_attributes()
                             .set_generate_stats(true)
                             .set_attn_scale(shape_.scale)
                             .set_diagonal_alignment(fe::DiagonalAlignment_t::TOP_LEFT)
                             .set_diagonal_band_right_bound(0);
    const auto [y, log_sum_exp] = graph_.sdpa(input(kQ), input(kK), input(kV), options);
    output(y, kY);
    output(log_sum_exp, kLogSumExp);
  }
  void describe_backward() {
    const auto options = fe::graph::SDPA_backward_attributes()
                             .set_attn_scale(shape_.scale)
                             .set_diagonal_alignment(fe::DiagonalAlignment_t::TOP_LEFT)
                             .set_diagonal_band_right_bound(0);
    const auto [dq, dk, dv] = graph_.sdpa_backward(input(kQ), input(kK), input(kV), input(kY), input(kDy),
                                                   input(kLogSumExp), options);
    output(dq, kDq);
    output(dk, kDk);
    output(dv, kDv);
  }

  AttentionShape shape_;
  std::map<Id, Strides> strides_;
  fe::graph::Graph graph_;
  std::string refusal_;
  int64_t workspace_bytes_ = 0;
};

auto key_of(const Call& call) {
  const AttentionShape& s = call.shape;
  return std::tuple(s.B, s.heads, s.T, s.hs, s.scale, call.strides);
}

// One per GPU, created at the first call. It is never destroyed, because the CUDA runtime may already be shut
// down when the process ends.
class Library {
 public:
  Library() { check(cudnnCreate(&handle_), "cudnnCreate"); }

  Plan& plan(const Call& call) {
    auto& plan = plans_[key_of(call)];
    if (!plan) plan = std::make_unique<Plan>(handle_, call);
    return *plan;
  }
  void run(Stream stream, Call call) {
    check(cudnnSetStream(handle_, static_cast<cudaStream_t>(stream.handle)), "cudnnSetStream");
    plan(call).run(handle_, stream, call);
  }

 private:
  static void check(cudnnStatus_t status, const char* call) {
    require(status == CUDNN_STATUS_SUCCESS, "attention: {}: {}", call, cudnnGetErrorString(status));
  }

  cudnnHandle_t handle_ = nullptr;
  std::map<decltype(key_of(Call{})), std::unique_ptr<Plan>> plans_;
};

Library& library(Device device) {
  static auto& libraries = *new std::map<int, std::unique_ptr<Library>>;
  auto& slot = libraries[device.index];
  if (!slot) slot = std::make_unique<Library>();
  return *slot;
}

}  // namespace

bool cudnn_attention_available() { return true; }

std::string cudnn_attention_refusal(Stream stream, const AttentionShape& shape, bool backward) {
  const int64_t C = shape.heads * shape.hs;
  const HeadsView<bf16> packed{nullptr, shape.T * 3 * C, shape.hs, 3 * C},
      plain{nullptr, shape.T * C, shape.hs, C};
  Call call{shape, {}, {}};
  for (const Id id : {kQ, kK, kV}) call.add(id, packed);
  call.add(kY, plain);
  const std::string forward = library(stream.device).plan(call).refusal();
  if (!backward || !forward.empty()) return forward;
  for (const Id id : {kDq, kDk, kDv}) call.add(id, packed);
  call.add(kDy, plain);
  return library(stream.device).plan(call).refusal();
}

void cudnn_attention_forward(Stream stream, HeadsView<bf16> y, float* log_sum_exp, HeadsView<const bf16> q,
                             HeadsView<const bf16> k, HeadsView<const bf16> v, const AttentionShape& shape) {
  Call call{shape, {}, {{kLogSumExp, log_sum_exp}}};
  call.add(kQ, q);
  call.add(kK, k);
  call.add(kV, v);
  call.add(kY, y);
  library(stream.device).run(stream, std::move(call));
}

void cudnn_attention_backward(Stream stream, HeadsView<bf16> dq, HeadsView<bf16> dk, HeadsView<bf16> dv,
                              HeadsView<const bf16> dy, HeadsView<const bf16> y, const float* log_sum_exp,
                              HeadsView<const bf16> q, HeadsView<const bf16> k, HeadsView<const bf16> v,
                              const AttentionShape& shape) {
  Call call{shape, {}, {{kLogSumExp, const_cast<float*>(log_sum_exp)}}};
  call.add(kQ, q);
  call.add(kK, k);
  call.add(kV, v);
  call.add(kY, y);
  call.add(kDy, dy);
  call.add(kDq, dq);
  call.add(kDk, dk);
  call.add(kDv, dv);
  library(stream.device).run(stream, std::move(call));
}

}  // namespace gpt2::cuda

#else

namespace gpt2::cuda {
namespace {

constexpr const char* kMissing = "this build has no cuDNN";

}  // namespace

bool cudnn_attention_available() { return false; }

std::string cudnn_attention_refusal(Stream, const AttentionShape&, bool) { return kMissing; }

void cudnn_attention_forward(Stream, HeadsView<bf16>, float*, HeadsView<const bf16>, HeadsView<const bf16>,
                             HeadsView<const bf16>, const AttentionShape&) {
  fail("{}", kMissing);
}

void cudnn_attention_backward(Stream, HeadsView<bf16>, HeadsView<bf16>, HeadsView<bf16>,
                              HeadsView<const bf16>, HeadsView<const bf16>, const float*,
                              HeadsView<const bf16>, HeadsView<const bf16>, HeadsView<const bf16>,
                              const AttentionShape&) {
  fail("{}", kMissing);
}

}  // namespace gpt2::cuda

#endif
