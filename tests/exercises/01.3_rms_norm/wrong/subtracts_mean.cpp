//@fails forward | this is LayerNorm
//@solution 01.3 forward
for (int64_t row = 0; row < rows; ++row) {
  float mean = 0, variance = 0;
  for (int64_t i = 0; i < C; ++i) mean += in[row * C + i] / float(C);
  for (int64_t i = 0; i < C; ++i) variance += std::pow(in[row * C + i] - mean, 2.0f) / float(C);
  for (int64_t i = 0; i < C; ++i)
    out[row * C + i] = (in[row * C + i] - mean) / std::sqrt(variance + float(eps_)) * w[i];
}
//@end
