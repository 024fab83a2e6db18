#include "common/kernels/embedding.h"

#include "common/kernels/fill.h"
#include "common/ops/autograd.h"
#include "common/ops/dispatch.h"
#include "common/ops/ops.h"

namespace gpt2 {

Tensor embedding(const Tensor& table, const Tensor& indices) {
  const Tensor rows = table.contiguous(), ids = indices.contiguous();
  const auto [vocab, C] = table.sizes<2>();
  Shape shape = ids.shape();
  shape.push_back(C);
  Tensor y = empty(shape, table.device(), table.dtype());
  with_type(table.dtype(), [&, C = C](auto t) {
    using T = decltype(t);
    DISPATCH(table.device(), embedding_forward, y.data<T>(), rows.data<T>(), ids.data<int32_t>(), ids.numel(),
             C);
  });
  record({rows}, y, [ids, table_shape = table.shape()](Gradients& g) {
    const Tensor dy = g.dy().contiguous();
    const int64_t n = ids.numel(), vocab_size = table_shape[0], C = table_shape[1];
    const auto [dtable, beta] = g.into(0, table_shape, dy.device());
    const Tensor workspace =
        empty({DISPATCH_SIZE(dy.device(), embedding_backward_workspace, n, vocab_size, C)}, dy.device());
    with_type(dy.dtype(), [&, dtable = dtable, beta = beta](auto t) {
      using T = decltype(t);
      DISPATCH(dy.device(), embedding_backward, dtable.data<T>(), ids.data<int32_t>(), dy.data<T>(),
               workspace.data<float>(), n, vocab_size, C, beta);
    });
  });
  return y;
}

Tensor arange(int64_t n, Device device) {
  const Tensor y = empty({n}, device, DType::i32);
  DISPATCH(device, arange, y.data<int32_t>(), n);
  return y;
}

}  // namespace gpt2
