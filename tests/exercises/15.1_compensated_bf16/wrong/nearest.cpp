//@fails small updates | all weights are still 1
//@solution 15.1
for (int64_t i = 0; i < n; ++i) {
  w[i] = w[i] - lr * g[i];
  c[i] = 0;
}
//@end
