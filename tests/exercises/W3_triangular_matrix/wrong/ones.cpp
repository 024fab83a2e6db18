//@fails weights | the matrix has ones
//@solution W3 weights
for (int64_t t = 0; t < T; ++t) {
  for (int64_t s = 0; s <= t; ++s) weights[size_t(t * T + s)] = 1;
}
//@end
