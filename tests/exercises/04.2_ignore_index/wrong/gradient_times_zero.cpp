//@fails ignored rows have no effect | which is ignored, is
//@solution 04.2 backward
const int64_t kept = rows - std::count(target, target + rows, ignore_index);
for (int64_t row = 0; row < rows; ++row) {
  const float mask = target[row] == ignore_index ? 0 : 1, total = log_sum_exp(x + row * V, V);
  for (int64_t j = 0; j < V; ++j) {
    const int64_t i = row * V + j;
    dx[i] = mask * (std::exp(x[i] - total) - (j == target[row])) * dloss / float(std::max<int64_t>(kept, 1));
  }
}
//@end
