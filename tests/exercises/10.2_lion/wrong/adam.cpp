//@fails first step | depends on the size of the gradient
//@solution 10.2 step
for (int64_t i = 0; i < n; ++i) {
  const float update = beta1 * m[i] + rate1 * g[i];
  w[i] = (i < decayed ? decay : 1) * w[i] - lr * update;
  m[i] = beta2 * m[i] + rate2 * g[i];
}
//@end
