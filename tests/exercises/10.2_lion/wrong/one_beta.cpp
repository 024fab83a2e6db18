//@fails ten steps | the momentum is updated with beta1
//@solution 10.2 step
for (int64_t i = 0; i < n; ++i) {
  m[i] = beta1 * m[i] + rate1 * g[i];
  w[i] = (i < decayed ? decay : 1) * w[i] - lr * sign(m[i]);
}
//@end
