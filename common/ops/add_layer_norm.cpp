#include "common/kernels/add_layer_norm.h"

#include <type_traits>

#include "common/kernels/layer_norm.h"
#include "common/ops/autocast.h"
#include "common/ops/autograd.h"
#include "common/ops/dispatch.h"
#include "common/ops/ops.h"
#include "common/ops/recompute.h"
#include "common/ops/row_sum.h"

namespace gpt2 {
namespace {

struct Saved {
  Tensor sum, weight, mean, rstd;
  Shape branch_shape;
  DType branch_type;
};

// Calls body(X(), Y()) with the types of the residual stream and of the LayerNorm's result.
template <class Body>
void with_types(DType stream, DType result, const Body& body) {
  with_type(stream, [&](auto x) {
    with_type(result, [&](auto y) {
      constexpr bool widens = std::is_same_v<decltype(x), bf16> && std::is_same_v<decltype(y), float>;
      if constexpr (!widens) body(x, y);  // a product never reads float if the stream is bf16
    });
  });
}

// The gradient of the branch, which is dx itself or, for a bf16 branch of a float stream, dx rounded to bf16.
struct BranchGradient {
  Tensor dx, partial_sums;
};

// Adds the gradients of weight and bias, writes dx, and returns the branch's gradient. Partial sums are computed
// for a branch of full shape: a linear layer made it, whose bias needs them.
BranchGradient add_gradients(Gradients& g, const Tensor& dx, const Tensor& dy, const Tensor& dsum,
                             const Saved& s) {
  const Device device = dy.device();
  const int64_t C = dy.size(-1), rows = dy.numel() / C;
  constexpr int64_t kLongRow =
      4096;  // with the sums, a longer row would need more shared memory than some GPUs have (99 KB)
  const auto [dweight, beta_w] = g.into(2, {C}, device);
  const auto [dbias, beta_b] = g.into(3, {C}, device);
  const bool narrow = s.branch_type != dx.dtype();
  const bool summed = g.wanted(1) && s.branch_shape == dx.shape() && C <= kLongRow;
  const Tensor dbranch = narrow ? empty(dx.shape(), device, DType::bf16) : dx,
               sums = summed ? empty({DISPATCH_SIZE(device, layer_norm_partial_sums, rows), C}, device)
                             : Tensor(),
               workspace = empty({DISPATCH_SIZE(device, layer_norm_backward_workspace, rows, C)}, device);
  with_types(dx.dtype(), dy.dtype(), [&, dw = dweight, db = dbias, bw = beta_w, bb = beta_b](auto x, auto y) {
    using X = decltype(x);
    using Y = decltype(y);
    DISPATCH(device, add_layer_norm_backward, dx.data<X>(), narrow ? dbranch.data<Y>() : nullptr,
             dw.data<X>(), db.data<X>(), summed ? sums.data<float>() : nullptr, dy.data<Y>(),
             dsum.defined() ? dsum.data<X>() : nullptr, s.sum.data<X>(), s.weight.data<X>(),
             s.mean.data<float>(), s.rstd.data<float>(), workspace.data<float>(), rows, C, bw, bb);
  });
  return {dbranch, sums};
}

void backward(Gradients& g, const Saved& s) {
  require(g.dy(1).defined(), "add_layer_norm: its second result was not used");
  const Tensor dy = g.dy(1).contiguous(), dx = empty(s.sum.shape(), dy.device(), s.sum.dtype());
  const Tensor dsum = g.dy(0).defined() ? g.dy(0).contiguous() : Tensor();
  const auto [dbranch, partial_sums] = add_gradients(g, dx, dy, dsum, s);
  if (g.wanted(1)) {
    s.branch_shape == dx.shape() ? g.add(1, dbranch, {.factor = {}, .partial_sums = partial_sums})
                                 : add_row_sum(g, 1, s.branch_shape, dx);
  }
  g.add(0, dx);
}

// The LayerNorm's result, from the sum and its moments.
Tensor normalized_again(const Saved& s, const Tensor& bias, DType dtype) {
  const Tensor y = empty(s.sum.shape(), s.sum.device(), dtype);
  const int64_t C = s.sum.size(-1), rows = s.sum.numel() / C;
  with_types(s.sum.dtype(), dtype, [&](auto stream, auto result) {
    using X = decltype(stream);
    using Y = decltype(result);
    DISPATCH(y.device(), layer_norm_again, y.data<Y>(), s.sum.data<X>(), s.mean.data<float>(),
             s.rstd.data<float>(), s.weight.data<X>(), bias.data<X>(), rows, C);
  });
  return y;
}

}  // namespace

std::pair<Tensor, Tensor> add_layer_norm(const Tensor& input, const Tensor& branch, const Tensor& weight,
                                         const Tensor& bias, float eps) {
  const int64_t C = input.size(-1);
  require(weight.dtype() == input.dtype() && bias.dtype() == input.dtype() && branch.size(-1) == C &&
              input.numel() % branch.numel() == 0 && weight.shape() == Shape{C} && bias.shape() == Shape{C},
          "add_layer_norm: x is {} {}, the branch {}, weight {} {} and bias {}", to_string(input.dtype()),
          to_string(input.shape()), to_string(branch.shape()), to_string(weight.dtype()),
          to_string(weight.shape()), to_string(bias.shape()));
  const Device device = input.device();
  const DType dtype = matmul_dtype(input);  // the result is the input of a matrix product
  const Tensor x = input.contiguous(), w = weight.contiguous(), shift = bias.contiguous();
  const bool takes_branch = branch.dtype() == input.dtype() || branch.dtype() == dtype;
  const Tensor b = (takes_branch ? branch : branch.to(dtype)).contiguous();
  const int64_t rows = x.numel() / C, branch_rows = b.numel() / C;
  const Tensor mean = empty({rows}, device), rstd = empty({rows}, device);
  std::array<Tensor, 2> results{empty(x.shape(), device, x.dtype()), empty(x.shape(), device, dtype)};
  const auto& [sum, y] = results;
  with_types(x.dtype(), dtype, [&, sum = sum, y = y](auto stream, auto result) {
    using X = decltype(stream);
    using Y = decltype(result);
    const auto forward = [&](const auto* addend) {
      DISPATCH(device, add_layer_norm_forward, sum.data<X>(), y.data<Y>(), mean.data<float>(),
               rstd.data<float>(), x.data<X>(), addend, w.data<X>(), shift.data<X>(), rows, C, branch_rows,
               eps);
    };
    b.dtype() == x.dtype() ? forward(b.data<X>()) : forward(b.data<Y>());
  });
  const Saved kept{saved(sum), saved(w), mean, rstd, b.shape(), b.dtype()};
  record({x, b, weight, bias}, results, [kept](Gradients& g) { backward(g, kept); });
  if (recomputes_layer_norm() && results[1].requires_grad()) {
    results[1].variable()->again = [kept, shift = saved(shift), dtype] {
      return normalized_again(kept, shift, dtype);
    };
  }
  return {results[0], results[1]};
}

}  // namespace gpt2
