//@fails one matrix product | makes 0 matrix products
//@solution W3 means
const auto [T, C] = x.sizes<2>();
const std::vector<float> values = x.to_vector<float>();
std::vector<float> y(values.size());
for (int64_t i = 0; i < T * C; ++i) {
  float sum = 0;
  for (int64_t s = 0; s <= i / C; ++s) sum += values[size_t(s * C + i % C)];
  y[size_t(i)] = sum / float(i / C + 1);
}
return from_vector(y, {T, C});
//@end
