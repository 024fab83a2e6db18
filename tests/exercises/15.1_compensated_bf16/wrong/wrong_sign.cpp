//@fails one step | c has the wrong sign
//@solution 15.1
for (int64_t i = 0; i < n; ++i) {
  const float weight = w[i], y = -lr * g[i] - c[i];
  const bf16 sum = weight + y;
  c[i] = y - (sum - weight);
  w[i] = sum;
}
//@end
