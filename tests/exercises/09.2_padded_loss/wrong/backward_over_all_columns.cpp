//@fails gradient of the padding | slicing the loss is not enough
//@solution 09.2 backward
const float total = log_sum_exp(x, V);
for (int64_t j = 0; j < Vp; ++j) {
  const float wanted = j >= V ? 0 : smoothing / float(V) + (j == target[row] ? 1 - smoothing : 0);
  dx[j] = (std::exp(x[j] - total) - wanted) * factor;
}
//@end
