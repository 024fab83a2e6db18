//@fails row sum | divergence:
//@solution 05.4 row_sum
if (thread < half) __syncthreads();
//@end
