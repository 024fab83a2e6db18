#pragma once

#include <cstdint>

// One head of causal attention with capped scores, after its forward pass. q, k, v, y and dy are (T, hs).
//   s[i][j] = cap * tanh(scale * (q[i] . k[j]) / cap)      for j <= i
//   y[i]    = sum over j <= i of exp(s[i][j] - log_sum_exp[i]) v[j]
struct CappedHead {
  const float *q, *k, *v, *y, *dy;
  const float* log_sum_exp;  // (T)
  int64_t T, hs;
  float scale, cap;
};

// Writes the gradient of q, (T, hs), for dy, the gradient of y.
void attention_dq(float* dq, const CappedHead& a);
