//@fails zeros and the mean | are to be divided by 1 - p
//@solution W8 drop
if (!training || p == 0) return input;
const Tensor x = input.contiguous(), factors = empty(x.shape());
const std::span<float> values(factors.data<float>(), size_t(x.numel()));
generator.uniform(values, 0, 1);
for (float& value : values) value = value < p ? 0 : 1;
Tensor y = multiplied(x, factors);
record({x}, y, [factors](Gradients& g) { g.add(0, multiplied(g.dy().contiguous(), factors)); });
return y;
//@end
