//@fails 16 bytes a thread | each can be read in one instruction
//@solution 06.4 kernel
const int64_t i = blockIdx.x * int64_t{blockDim.x} + threadIdx.x;
if (i < n) y[i] = x[i] / (1 + expf(-x[i]));
//@end
//@solution 06.4 blocks
const int64_t blocks = ceil_div(n, kBlock);
//@end
