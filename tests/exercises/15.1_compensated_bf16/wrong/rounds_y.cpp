//@fails one step | y is rounded to bf16 before it is added
//@solution 15.1
for (int64_t i = 0; i < n; ++i) {
  const float weight = w[i];
  const bf16 y = -lr * g[i] - c[i];
  const bf16 sum = weight + y;
  c[i] = (sum - weight) - y;
  w[i] = sum;
}
//@end
