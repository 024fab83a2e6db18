//@fails one of seven rows kept | you divide by all 7 rows
//@solution 04.2 forward
double sum = 0;
for (int64_t row = 0; row < rows; ++row) {
  if (target[row] != ignore_index) sum += log_sum_exp(x + row * V, V) - x[row * V + target[row]];
}
*loss.data<float>() = float(sum / double(rows));
//@end
