//@fails one step | what the last rounding lost, c, is not subtracted
//@solution 15.1
for (int64_t i = 0; i < n; ++i) {
  const float weight = w[i], y = -lr * g[i];
  const bf16 sum = weight + y;
  c[i] = (sum - weight) - y;
  w[i] = sum;
}
//@end
