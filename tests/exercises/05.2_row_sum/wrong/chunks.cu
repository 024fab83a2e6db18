//@fails neighbours read neighbours | begins with value t
//@solution 05.2
__shared__ float partial[kThreads];
const int64_t chunk = ceil_div(cols, kThreads);
float sum = 0;
for (int64_t i = thread * chunk; i < min(cols, (thread + 1) * chunk); ++i) sum += row[i] * row[i];
partial[thread] = sum;
for (int half = kThreads / 2; half > 0; half /= 2) {
  __syncthreads();
  if (thread < half) partial[thread] += partial[thread + half];
}
if (thread == 0) sums[blockIdx.x] = partial[0];
//@end
