//@fails values | nothing orders two blocks
//@solution 05.1 kernel
const int64_t i = threadIdx.x;
if (i < n) y[i] = x[i] / (1 + fabsf(x[i]));
//@end
