//@fails no T x T | as much as a T x T matrix
#include "dq.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

namespace {

float dot(const float* a, const float* b, int64_t n) { return std::inner_product(a, a + n, b, 0.0f); }

}  // namespace

void attention_dq(float* dq, const CappedHead& a) {
  const int64_t T = a.T, hs = a.hs;
  std::vector<float> t(size_t(T * T)), p(size_t(T * T));
  for (int64_t i = 0; i < T; ++i) {
    for (int64_t j = 0; j <= i; ++j) {
      const auto at = size_t(i * T + j);
      t[at] = std::tanh(a.scale * dot(a.q + i * hs, a.k + j * hs, hs) / a.cap);
      p[at] = std::exp(a.cap * t[at] - a.log_sum_exp[i]);
    }
  }
  std::fill_n(dq, T * hs, 0.0f);
  for (int64_t i = 0; i < T; ++i) {
    const float D = dot(a.dy + i * hs, a.y + i * hs, hs);
    for (int64_t j = 0; j <= i; ++j) {
      const auto at = size_t(i * T + j);
      const float dscore = p[at] * (dot(a.dy + i * hs, a.v + j * hs, hs) - D) * (1 - t[at] * t[at]);
      for (int64_t c = 0; c < hs; ++c) dq[i * hs + c] += a.scale * dscore * a.k[j * hs + c];
    }
  }
}
