//@fails gradient of the padding | whatever was in memory
//@solution 09.2 backward
const float total = log_sum_exp(x, V);
for (int64_t j = 0; j < V; ++j) {
  const float wanted = smoothing / float(V) + (j == target[row] ? 1 - smoothing : 0);
  dx[j] = (std::exp(x[j] - total) - wanted) * factor;
}
//@end
