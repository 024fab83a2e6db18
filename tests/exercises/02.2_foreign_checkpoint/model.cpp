#include "model.h"

#include <cmath>

#include "common/base/error.h"
#include "common/ops/ops.h"

using namespace gpt2;

namespace {

struct Model {
  const Tensors& parameters;
  int64_t n_head;

  const Tensor& at(const std::string& name) const {
    const auto found = parameters.find(name);
    require(found != parameters.end(), "parameter {} is missing", name);
    return found->second;
  }
  Tensor norm(const Tensor& x, const std::string& name) const {
    return layer_norm(x, at(name + ".weight"), at(name + ".bias"), 1e-5f);
  }
  Tensor linear(const Tensor& x, const std::string& name) const {
    return gpt2::linear(x, at(name + ".weight"), at(name + ".bias"));
  }

  Tensor attention(const Tensor& x, const std::string& name) const {
    const auto [B, T, C] = x.sizes<3>();
    auto [q, k, v] = split<3>(linear(x, name + ".c_attn"), 2);
    for (Tensor* each : {&q, &k, &v}) *each = each->view({B, T, n_head, C / n_head}).transpose(1, 2);
    const Tensor att = matmul(q, k.transpose(-2, -1)) / std::sqrt(double(C / n_head));
    const Tensor y = matmul(softmax(causal_mask(att)), v);  // (B, n_head, T, C / n_head)
    return linear(y.transpose(1, 2).contiguous().view({B, T, C}), name + ".c_proj");
  }
};

}  // namespace

Tensor logits_of(const Tensors& parameters, int64_t n_head, const std::vector<int32_t>& ids) {
  const NoGrad no_grad;
  const Model model{parameters, n_head};
  const int64_t T = int64_t(ids.size()), V = model.at("lm_head.weight").size(0);
  Tensor x = embedding(model.at("transformer.wte.weight"), from_vector(ids, {1, T})) +
             embedding(model.at("transformer.wpe.weight"), arange(T, kCpu));
  for (int64_t layer = 0;; ++layer) {
    const std::string h = "transformer.h." + std::to_string(layer) + ".";
    if (!parameters.contains(h + "ln_1.weight")) break;
    x = x + model.attention(model.norm(x, h + "ln_1"), h + "attn");
    x = x + model.linear(gelu(model.linear(model.norm(x, h + "ln_2"), h + "mlp.c_fc")), h + "mlp.c_proj");
  }
  return gpt2::linear(model.norm(x, "transformer.ln_f"), model.at("lm_head.weight"), Tensor()).view({T, V});
}
