#include "common/ops/attention.h"

#include <cmath>

#include "common/kernels/flash_attention.h"
#include "common/ops/autocast.h"
#include "common/ops/autograd.h"
#include "common/ops/dispatch.h"
#include "common/ops/ops.h"
#include "common/ops/pad.h"
#include "common/tensor/memory.h"
#ifdef GPT2_CUDA
#include "common/kernels/cuda/cudnn_attention.h"
#endif

namespace gpt2 {
namespace {

constexpr int64_t kMaxHeadSize = 128;  // the largest head size of our kernels

template <class T>
HeadsView<T> heads(const Tensor& x) {
  return {x.data<std::remove_const_t<T>>(), x.stride(0), x.stride(1), x.stride(2)};
}

// The scale is a parameter, because heads may be padded with zeros.
AttentionShape shape_of(const Tensor& q, float scale) {
  const auto [B, nh, positions, hs] = q.sizes<4>();
  return {B, nh, positions, hs, scale};
}

// A (B, nh, T, hs) view of one part of a (B, T, parts, nh, hs) buffer. In the buffer the heads of a position
// are side by side, as a linear layer needs them.
Tensor packed_heads(const Tensor& buffer, const AttentionShape& s, int64_t parts, int64_t part) {
  const int64_t C = s.heads * s.hs, row = parts * C;
  return buffer.as_strided({s.B, s.heads, s.T, s.hs}, {s.T * row, s.hs, row, 1}, part * C);
}

struct Saved {
  Tensor q, k, v, y, log_sum_exp;
  float scale;
  bool by_cudnn;  // the backward pass
};

// cuDNN compiles a plan for each shape, which takes half a second. A text that is sampled grows by a token at a time,
// and each question of HellaSwag has its own length, so without gradients most lengths are left to our kernels.
bool wants_cudnn(const AttentionShape& shape, Device device) {
  constexpr int64_t kPlannedLengths = 64;
  return planned(device).is_cuda() && context().attention != AttentionKernels::own &&
         (context().grad_enabled || shape.T % kPlannedLengths == 0);
}
bool wants_cudnn_backward() {
  return context().grad_enabled && context().attention == AttentionKernels::cudnn;
}

#ifdef GPT2_CUDA
// The workspace of cuDNN's backward pass: float32 sums for dq, and one for each query.
size_t cudnn_workspace_bytes(const AttentionShape& s) {
  return size_t(s.B * s.heads * s.T * (s.hs + 1)) * sizeof(float);
}

std::string cudnn_refusal(const AttentionShape& shape, Device device) {
  if (device == kMeta) return "";
  return cuda::cudnn_attention_refusal(context().stream(device), shape, wants_cudnn_backward());
}

// Throws if cuDNN does not support this.
void forward_by_cudnn(const Tensor& y, const Tensor& log_sum_exp, const Tensor& q, const Tensor& k,
                      const Tensor& v, float scale) {
  const AttentionShape shape = shape_of(q, scale);
  const std::string refusal = cudnn_refusal(shape, q.device());
  require(refusal.empty(), "--attention cudnn: {}; use --attention own", refusal);
  if (q.device() == kMeta) return;
  cuda::cudnn_attention_forward(context().stream(q.device()), heads<bf16>(y), log_sum_exp.data<float>(),
                                heads<const bf16>(q), heads<const bf16>(k), heads<const bf16>(v), shape);
  context().counts.call("cudnn_attention_forward");
}

void backward_by_cudnn(const Tensor& dq, const Tensor& dk, const Tensor& dv, const Tensor& dy,
                       const Saved& s) {
  if (dq.device() == kMeta) {
    const Storage workspace(kMeta, cudnn_workspace_bytes(shape_of(s.q, s.scale)));
    return;
  }
  cuda::cudnn_attention_backward(context().stream(dq.device()), heads<bf16>(dq), heads<bf16>(dk),
                                 heads<bf16>(dv), heads<const bf16>(dy), heads<const bf16>(s.y),
                                 s.log_sum_exp.data<float>(), heads<const bf16>(s.q), heads<const bf16>(s.k),
                                 heads<const bf16>(s.v), shape_of(s.q, s.scale));
  context().counts.call("cudnn_attention_backward");
}
#else
std::string cudnn_refusal(const AttentionShape&, Device) { return "this program was built without cuDNN"; }
void forward_by_cudnn(const Tensor&, const Tensor&, const Tensor&, const Tensor&, const Tensor&, float) {}
void backward_by_cudnn(const Tensor&, const Tensor&, const Tensor&, const Tensor&, const Saved&) {}
#endif

bool has_own_kernels([[maybe_unused]] Device device, int64_t hs) {
  return DISPATCH_SIZE(device, flash_attention_supports, hs);
}

void forward_by_us(const Tensor& y, const Tensor& log_sum_exp, const Tensor& q, const Tensor& k,
                   const Tensor& v, float scale) {
  with_type(q.dtype(), [&](auto t) {
    using T = decltype(t);
    DISPATCH(q.device(), flash_attention_forward, heads<T>(y), log_sum_exp.data<float>(), heads<const T>(q),
             heads<const T>(k), heads<const T>(v), shape_of(q, scale));
  });
}

void backward_by_us(const Tensor& dq, const Tensor& dk, const Tensor& dv, const Tensor& dy, const Saved& s) {
  const Device device = dq.device();
  const AttentionShape shape = shape_of(s.q, s.scale);
  const Tensor workspace = empty({DISPATCH_SIZE(device, flash_attention_workspace, shape)}, device);
  with_type(s.q.dtype(), [&](auto t) {
    using T = decltype(t);
    DISPATCH(device, flash_attention_backward, heads<T>(dq), heads<T>(dk), heads<T>(dv), heads<const T>(dy),
             heads<const T>(s.y), s.log_sum_exp.data<float>(), heads<const T>(s.q), heads<const T>(s.k),
             heads<const T>(s.v), workspace.data<float>(), shape);
  });
}

// dq, dk and dv are views of one packed buffer, so the backward pass of split() uses the buffer without a
// copy.
void backward(Gradients& g, const Saved& s) {
  const AttentionShape shape = shape_of(s.q, s.scale);
  const Device device = s.q.device();
  const Tensor dy = g.dy().stride(-1) == 1 ? g.dy() : g.dy().contiguous();
  const Tensor buffer = empty({shape.B, shape.T, 3, shape.heads, shape.hs}, device, s.q.dtype());
  const Tensor dq = packed_heads(buffer, shape, 3, 0), dk = packed_heads(buffer, shape, 3, 1),
               dv = packed_heads(buffer, shape, 3, 2);
  s.by_cudnn ? backward_by_cudnn(dq, dk, dv, dy, s) : backward_by_us(dq, dk, dv, dy, s);
  g.add(0, dq);
  g.add(1, dk);
  g.add(2, dv);
}

// Converts x to the type of matrix products, with rows that kernels can read in place. Recorded if it copies.
Tensor readable(const Tensor& x) {
  const Tensor y = x.to(matmul_dtype(x));
  return y.stride(-1) == 1 ? y : y.contiguous();
}

// The head size to compute with: the head size of q, or the next larger size that has kernels. Zeros appended
// to the channels of q, k and v change no score and only append zeros to y.
int64_t computed_head_size(const Tensor& q, float scale) {
  const int64_t hs = q.size(-1);
  const AttentionShape shape = shape_of(q, scale);
  const bool by_us_too = context().attention == AttentionKernels::cudnn_forward && context().grad_enabled;
  if (!by_us_too && wants_cudnn(shape, q.device()) && cudnn_refusal(shape, q.device()).empty()) return hs;
  int64_t size = hs;
  while (size <= kMaxHeadSize && !has_own_kernels(q.device(), size)) ++size;
  require(size <= kMaxHeadSize,
          "attention: heads of {} channels; flash attention takes at most {}, steps 01 to 07 take any number",
          hs, kMaxHeadSize);
  return size;
}

Tensor attend(const Tensor& q, const Tensor& k, const Tensor& v, float scale) {
  const AttentionShape shape = shape_of(q, scale);
  const Device device = q.device();
  Tensor y = packed_heads(empty({shape.B, shape.T, shape.heads, shape.hs}, device, q.dtype()), shape, 1, 0);
  const Tensor log_sum_exp = empty({shape.B, shape.heads, shape.T}, device);
  const bool by_cudnn = wants_cudnn(shape, device);
  (by_cudnn ? forward_by_cudnn : forward_by_us)(y, log_sum_exp, q, k, v, scale);
  record({q, k, v}, y,
         [s = Saved{saved(q), saved(k), saved(v), saved(y), log_sum_exp, scale,
                    by_cudnn && wants_cudnn_backward()}](Gradients& g) { backward(g, s); });
  return y;
}

}  // namespace

Tensor scaled_dot_product_attention(const Tensor& query, const Tensor& key, const Tensor& value) {
  require(query.dim() == 4 && key.shape() == query.shape() && value.shape() == query.shape(),
          "scaled_dot_product_attention: q is {}, k {}, v {}; expected (B, nh, T, hs)",
          to_string(query.shape()), to_string(key.shape()), to_string(value.shape()));
  const Tensor q = readable(query), k = readable(key), v = readable(value);
  const int64_t hs = q.size(-1);
  const float scale = float(1 / std::sqrt(double(hs)));
  const int64_t size = computed_head_size(q, scale);
  if (size == hs) return attend(q, k, v, scale);
  return attend(pad(q, size), pad(k, size), pad(v, size), scale).slice(-1, 0, hs);
}

std::string no_cudnn_attention(Device device, DType dtype) {
  if (!device.is_cuda()) return "it needs a GPU, not " + to_string(device);
  if (dtype != DType::bf16) return "its kernels are for bf16, not float32";
#ifdef GPT2_CUDA
  if (cuda::cudnn_attention_available()) return "";
#endif
  return "this program was built without cuDNN";
}

}  // namespace gpt2
