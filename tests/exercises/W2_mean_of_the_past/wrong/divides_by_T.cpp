//@fails means | you divide by T
//@solution W2
for (int64_t t = 0; t < T; ++t) {
  for (int64_t c = 0; c < C; ++c) {
    float sum = 0;
    for (int64_t s = 0; s <= t; ++s) sum += x[size_t(s * C + c)];
    y[size_t(t * C + c)] = sum / float(T);
  }
}
//@end
