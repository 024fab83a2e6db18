//@fails gradient of the weight | rows adds to it
//@solution 01.3 backward
const float r = reciprocal_rms(x, C, eps);
double dot = 0;
for (int64_t i = 0; i < C; ++i) dot += double(x[i]) * double(weight[i] * dy[i]);
for (int64_t i = 0; i < C; ++i) {
  dx[i] = r * (weight[i] * dy[i] - x[i] * r * r * float(dot / double(C)));
  dweight[i] = dy[i] * x[i] * r;
}
//@end
