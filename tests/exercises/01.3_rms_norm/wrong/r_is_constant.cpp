//@fails gradient of x | the second term is missing
//@solution 01.3 backward
const float r = reciprocal_rms(x, C, eps);
for (int64_t i = 0; i < C; ++i) {
  dx[i] = r * weight[i] * dy[i];
  dweight[i] += dy[i] * x[i] * r;
}
//@end
