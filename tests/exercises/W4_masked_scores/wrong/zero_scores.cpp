//@fails scores | exp(0) is 1
//@solution W4
std::vector<float> visible = scores.to_vector<float>();
for (int64_t t = 0; t < T; ++t) {
  for (int64_t s = std::max(t + 1, prefix); s < T; ++s) visible[size_t(t * T + s)] = 0;
}
return softmax(from_vector(visible, {T, T}));
//@end
