//@fails the neighbours stay | which belong to another tensor
//@solution 05.1 kernel
const int64_t i = blockIdx.x * int64_t{blockDim.x} + threadIdx.x;
y[i] = x[min(i, n - 1)] / (1 + fabsf(x[min(i, n - 1)]));
//@end
