#include "common/nn/layers.h"

#include <algorithm>
#include <cmath>
#include <span>

namespace gpt2::nn {
namespace {

// The values to initialise; empty for a parameter on the meta device.
std::span<float> values(const Tensor& x) {
  return {x.data<float>(), x.device() == kMeta ? 0 : size_t(x.numel())};
}

Tensor parameter(Shape shape) { return empty(std::move(shape), context().parameter_device); }

}  // namespace

namespace init {
void normal_(const Tensor& x, double mean, double std) {
  generator().normal(values(x), float(mean), float(std));
}
void uniform_(const Tensor& x, double low, double high) {
  generator().uniform(values(x), float(low), float(high));
}
void constant_(const Tensor& x, double value) { std::ranges::fill(values(x), float(value)); }
}  // namespace init

Linear::Linear(Module* parent, std::string name, int64_t in_features, int64_t out_features, Bias with_bias)
    : Module(parent, std::move(name)), weight(parameter({out_features, in_features})) {
  const double bound = 1 / std::sqrt(double(in_features));  // as torch's kaiming_uniform_(a=sqrt(5))
  init::uniform_(weight, -bound, bound);
  register_parameter("weight", weight);
  if (with_bias == Bias::no) return;
  bias = parameter({out_features});
  init::uniform_(bias, -bound, bound);
  register_parameter("bias", bias);
}

Embedding::Embedding(Module* parent, std::string name, int64_t num_embeddings, int64_t embedding_dim)
    : Module(parent, std::move(name)), weight(parameter({num_embeddings, embedding_dim})) {
  init::normal_(weight, 0, 1);
  register_parameter("weight", weight);
}

LayerNorm::LayerNorm(Module* parent, std::string name, int64_t size, double eps)
    : Module(parent, std::move(name)), weight(parameter({size})), bias(parameter({size})), eps_(eps) {
  init::constant_(weight, 1);
  init::constant_(bias, 0);
  register_parameter("weight", weight);
  register_parameter("bias", bias);
}

}  // namespace gpt2::nn
