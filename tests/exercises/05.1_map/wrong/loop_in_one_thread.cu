//@fails one value a thread | give each thread one value
//@solution 05.1 kernel
if (blockIdx.x > 0 || threadIdx.x > 0) return;
for (int64_t i = 0; i < n; ++i) y[i] = x[i] / (1 + fabsf(x[i]));
//@end
