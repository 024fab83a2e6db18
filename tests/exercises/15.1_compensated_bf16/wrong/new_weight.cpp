//@fails one step | the compensation is not bf16((s - w) - y)
//@solution 15.1
for (int64_t i = 0; i < n; ++i) {
  const float y = -lr * g[i] - c[i];
  const bf16 sum = w[i] + y;
  w[i] = sum;
  c[i] = (sum - w[i]) - y;
}
//@end
