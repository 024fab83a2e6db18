//@fails nothing kept | 0 / 0
//@solution 04.2 forward
double sum = 0;
int64_t kept = 0;
for (int64_t row = 0; row < rows; ++row) {
  if (target[row] == ignore_index) continue;
  sum += log_sum_exp(x + row * V, V) - x[row * V + target[row]];
  ++kept;
}
*loss.data<float>() = float(sum / double(kept));
//@end
