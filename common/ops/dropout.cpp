#include "common/ops/dropout.h"

#include "common/ops/autograd.h"
#include "common/ops/dispatch.h"

namespace gpt2 {

DropoutMasks::DropoutMasks(double p, uint64_t seed, Device device) : p_(p), seed_(seed) {
  require(p >= 0 && p < 1, "dropout: p is {}; expected 0 <= p < 1", p);  // also throws for NaN
  draw_ = std::make_shared<Storage>(device, sizeof(int64_t));
  set_draw(0);
}

void DropoutMasks::set_draw(int64_t draw) {
  backend(device()).copy(draw_->data(), &draw, sizeof draw, context().stream(device()));
}

namespace {

Tensor dropped(const Tensor& x, const DropoutMasks& masks, uint32_t site) {
  const Tensor y = empty(x.shape(), x.device(), x.dtype());
  with_type(x.dtype(), [&](auto t) {
    using T = decltype(t);
    DISPATCH(x.device(), dropout, y.data<T>(), x.data<T>(), masks.at(site), x.numel());
  });
  return y;
}

}  // namespace

Tensor dropout(const Tensor& input) {
  Dropout* guard = context().dropout;
  if (guard == nullptr || guard->masks.p() == 0) return input;
  const DropoutMasks& masks = guard->masks;
  require(input.device() == masks.device(), "dropout: x is on {} but the masks are on {}",
          to_string(input.device()), to_string(masks.device()));
  const uint32_t site = guard->sites++;
  const Tensor x = input.contiguous();
  Tensor y = dropped(x, masks, site);
  record({x}, y,
         [masks = masks, site](Gradients& g) { g.add(0, dropped(g.dy().contiguous(), masks, site)); });
  return y;
}

}  // namespace gpt2
