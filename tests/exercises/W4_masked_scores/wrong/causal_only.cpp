//@fails scores | this is the causal mask
//@solution W4
(void)prefix;
std::vector<float> mask(static_cast<size_t>(T* T));
for (int64_t t = 0; t < T; ++t) {
  for (int64_t s = t + 1; s < T; ++s) mask[size_t(t * T + s)] = -INFINITY;
}
return softmax(scores + from_vector(mask, {T, T}));
//@end
