// The ops that models use, with torch's names and meanings.
//
// Every op checks the shapes once (the message of an error names them), computes its result with the kernels
// of its inputs' device, and records how to differentiate itself. Values are float32, or bf16 under autocast
// (autocast.h); ids are int32.
//
// since 01_module
#pragma once

#include <array>
#include <utility>
#include <vector>

#include "common/ops/attention.h"
#include "common/tensor/context.h"
#include "common/tensor/tensor.h"

namespace gpt2 {

// a + b, in float32 if one of them is float32. b has the shape of a or of a's last dimensions; in the second
// case it is repeated over the leading dimensions.
Tensor operator+(const Tensor& a, const Tensor& b);

Tensor operator*(const Tensor& x, double factor);
inline Tensor operator/(const Tensor& x, double divisor) { return x * (1.0 / divisor); }

// (..., M, K) x (..., K, N) -> (..., M, N). a and b have the same leading dimensions, at most two, with any
// strides. The last two dimensions of each may be transposed views.
Tensor matmul(const Tensor& a, const Tensor& b);

// x (..., in) times weight (out, in) transposed, plus bias (out) if defined -> (..., out)
Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias);

// GELU, tanh approximation.
Tensor gelu(const Tensor& x);

// Normalises the last dimension C; weight and bias: (C).
Tensor layer_norm(const Tensor& x, const Tensor& weight, const Tensor& bias, float eps);

// Softmax over the last dimension.
Tensor softmax(const Tensor& x);

// (..., T, T): entries right of the diagonal become -inf.
Tensor causal_mask(const Tensor& x);

// table (vocab, C), ids (...) -> (..., C)
Tensor embedding(const Tensor& table, const Tensor& ids);

// Mean cross entropy, over all positions, of logits (..., V) against the ids of the next tokens (...) -> ()
Tensor cross_entropy(const Tensor& logits, const Tensor& targets);

// The fused ops: each combines several of the ops above in fewer passes over memory.      since 07_fusion

// The MLP of a block: linear, GELU, linear. The GELU and its derivative are epilogues of the matrix products.
// x (..., C), fc_weight (4C, C), fc_bias (4C), proj_weight (C, 4C), proj_bias (C) -> (..., C)
Tensor mlp(const Tensor& x, const Tensor& fc_weight, const Tensor& fc_bias, const Tensor& proj_weight,
           const Tensor& proj_bias);

// softmax(causal_mask(x * scale)); x (..., T, T)
Tensor causal_softmax(const Tensor& x, double scale);

// Returns the residual stream and the LayerNorm of it: {x + branch, layer_norm(x + branch)}. The branch may
// have fewer leading dimensions than x (the position embeddings). Under autocast the second result is bf16,
// because its consumer is a matrix product.
std::pair<Tensor, Tensor> add_layer_norm(const Tensor& x, const Tensor& branch, const Tensor& weight,
                                         const Tensor& bias, float eps);

// cross_entropy of the first vocab_size columns of contiguous logits. While gradients are recorded it takes the
// memory of the logits and writes their gradient there; reading the logits afterwards is an error. It works on a
// copy if another tensor shares their memory, or if they are a leaf. Under NoGrad the logits stay as they are.
Tensor fused_cross_entropy(const Tensor& logits, const Tensor& targets, int64_t vocab_size);
inline Tensor fused_cross_entropy(const Tensor& logits, const Tensor& targets) {
  return fused_cross_entropy(logits, targets, logits.size(-1));
}

// The ids 0 .. n - 1.
Tensor arange(int64_t n, Device device);

// N views of equal size along `dim`: auto [q, k, v] = split<3>(qkv, 2);
std::vector<Tensor> split(const Tensor& x, int64_t parts, int64_t dim);
template <size_t N>
std::array<Tensor, N> split(const Tensor& x, int64_t dim) {
  std::vector<Tensor> parts = split(x, int64_t(N), dim);
  std::array<Tensor, N> result;
  std::move(parts.begin(), parts.end(), result.begin());
  return result;
}

}  // namespace gpt2
