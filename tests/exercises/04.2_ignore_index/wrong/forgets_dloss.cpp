//@fails gradient | multiply it by dloss
//@solution 04.2 backward
(void)dloss;
const int64_t kept = rows - std::count(target, target + rows, ignore_index);
for (int64_t row = 0; row < rows; ++row) {
  const bool ignored = target[row] == ignore_index;
  const float total = ignored ? 0 : log_sum_exp(x + row * V, V);
  for (int64_t j = 0; j < V; ++j) {
    const int64_t i = row * V + j;
    dx[i] = ignored ? 0 : (std::exp(x[i] - total) - (j == target[row])) / float(kept);
  }
}
//@end
