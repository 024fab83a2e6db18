//@fails gradient | do not draw again
//@solution W8 drop
if (!training || p == 0) return input;
const auto draw = [this](const Shape& shape) {
  const Tensor factors = empty(shape);
  const std::span<float> values(factors.data<float>(), size_t(factors.numel()));
  generator.uniform(values, 0, 1);
  for (float& value : values) value = value < p ? 0 : float(1 / (1 - p));
  return factors;
};
const Tensor x = input.contiguous();
Tensor y = multiplied(x, draw(x.shape()));
record({x}, y, [draw](Gradients& g) { g.add(0, multiplied(g.dy().contiguous(), draw(g.dy().shape()))); });
return y;
//@end
