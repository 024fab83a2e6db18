//@fails gradient | the factor scale is missing
//@solution 08.3
const int64_t hs = a.hs;
std::fill_n(dq, a.T * hs, 0.0f);
for (int64_t i = 0; i < a.T; ++i) {
  const float *q = a.q + i * hs, *dy = a.dy + i * hs;
  const float D = dot(dy, a.y + i * hs, hs);
  for (int64_t j = 0; j <= i; ++j) {
    const float* k = a.k + j * hs;
    const float t = std::tanh(a.scale * dot(q, k, hs) / a.cap);
    const float p = std::exp(a.cap * t - a.log_sum_exp[i]), dp = dot(dy, a.v + j * hs, hs);
    const float dscore = p * (dp - D) * (1 - t * t);
    for (int64_t c = 0; c < hs; ++c) dq[i * hs + c] += dscore * k[c];
  }
}
//@end
