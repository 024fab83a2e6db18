//@fails values | out of bounds: the thread reads 4 bytes at byte
//@solution 05.1 kernel
const int64_t i = blockIdx.x * int64_t{blockDim.x} + threadIdx.x;
y[i] = x[i] / (1 + fabsf(x[i]));
//@end
