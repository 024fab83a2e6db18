#include <cmath>

#include "common/kernels/flash_attention.h"
#include "common/ops/autocast.h"
#include "common/ops/autograd.h"
#include "common/ops/dispatch.h"
#include "common/ops/ops.h"

namespace gpt2 {
namespace {

template <class T>
HeadsView<T> heads(const Tensor& x) {
  return {x.data<std::remove_const_t<T>>(), x.stride(0), x.stride(1), x.stride(2)};
}

AttentionShape shape_of(const Tensor& q) {
  const auto [B, nh, positions, hs] = q.sizes<4>();
  return {B, nh, positions, hs, float(1 / std::sqrt(double(hs)))};
}

// (B, nh, T, hs) as they lie in a (B, T, parts, nh, hs) buffer: heads side by side, as a linear layer wants them.
Tensor packed_heads(const Tensor& buffer, const AttentionShape& s, int64_t parts, int64_t part) {
  const int64_t C = s.heads * s.hs, row = parts * C;
  return buffer.as_strided({s.B, s.heads, s.T, s.hs}, {s.T * row, s.hs, row, 1}, part * C);
}

struct Saved {
  Tensor q, k, v, y, log_sum_exp;
};

// dq, dk and dv lie in one buffer, as split() finds its parts: it takes the buffer as it is.
void backward(Gradients& g, const Saved& s) {
  const AttentionShape shape = shape_of(s.q);
  const Device device = s.q.device();
  const Tensor dy = g.dy().stride(-1) == 1 ? g.dy() : g.dy().contiguous();
  const Tensor buffer = empty({shape.B, shape.T, 3, shape.heads, shape.hs}, device, s.q.dtype());
  const Tensor dq = packed_heads(buffer, shape, 3, 0), dk = packed_heads(buffer, shape, 3, 1),
               dv = packed_heads(buffer, shape, 3, 2);
  const Tensor workspace = empty({DISPATCH_SIZE(device, flash_attention_workspace, shape)}, device);
  with_type(s.q.dtype(), [&](auto t) {
    using T = decltype(t);
    DISPATCH(device, flash_attention_backward, heads<T>(dq), heads<T>(dk), heads<T>(dv), heads<const T>(dy),
             heads<const T>(s.y), s.log_sum_exp.data<float>(), heads<const T>(s.q), heads<const T>(s.k),
             heads<const T>(s.v), workspace.data<float>(), shape);
  });
  g.add(0, dq);
  g.add(1, dk);
  g.add(2, dv);
}

// In the type of matrix products, with rows that kernels can read in place; recorded if that copies.
Tensor readable(const Tensor& x) {
  const Tensor y = x.to(matmul_dtype(x));
  return y.stride(-1) == 1 ? y : y.contiguous();
}

}  // namespace

Tensor scaled_dot_product_attention(const Tensor& query, const Tensor& key, const Tensor& value) {
  require(query.dim() == 4 && key.shape() == query.shape() && value.shape() == query.shape(),
          "scaled_dot_product_attention: q is {}, k {}, v {}; expected (B, nh, T, hs)",
          to_string(query.shape()), to_string(key.shape()), to_string(value.shape()));
  const Tensor q = readable(query), k = readable(key), v = readable(value);
  const AttentionShape shape = shape_of(q);
  const Device device = q.device();
  require(DISPATCH_SIZE(device, flash_attention_supports, shape.hs),
          "attention: heads of {} channels; the flash kernels have 32, 64, 80, 96 and 128", shape.hs);
  Tensor y = packed_heads(empty({shape.B, shape.T, shape.heads, shape.hs}, device, q.dtype()), shape, 1, 0);
  const Tensor log_sum_exp = empty({shape.B, shape.heads, shape.T}, device);
  with_type(q.dtype(), [&](auto t) {
    using T = decltype(t);
    DISPATCH(device, flash_attention_forward, heads<T>(y), log_sum_exp.data<float>(), heads<const T>(q),
             heads<const T>(k), heads<const T>(v), shape);
  });
  record({q, k, v}, y,
         [s = Saved{saved(q), saved(k), saved(v), saved(y), log_sum_exp}](Gradients& g) { backward(g, s); });
  return y;
}

}  // namespace gpt2
