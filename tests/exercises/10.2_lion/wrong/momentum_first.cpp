//@fails ten steps | the momentum is updated before the sign is taken
//@solution 10.2 step
for (int64_t i = 0; i < n; ++i) {
  m[i] = beta2 * m[i] + rate2 * g[i];
  w[i] = (i < decayed ? decay : 1) * w[i] - lr * sign(beta1 * m[i] + rate1 * g[i]);
}
//@end
