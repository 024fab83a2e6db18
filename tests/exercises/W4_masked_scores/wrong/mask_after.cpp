//@fails rows sum to one | hide positions before the softmax
//@solution W4
const Tensor weights = softmax(scores);
float* w = weights.data<float>();
for (int64_t t = 0; t < T; ++t) {
  for (int64_t s = std::max(t + 1, prefix); s < T; ++s) w[t * T + s] = 0;
}
return weights;
//@end
