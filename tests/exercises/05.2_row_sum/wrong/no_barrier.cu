//@fails sums | no barrier lies between
//@solution 05.2
__shared__ float partial[kThreads];
float sum = 0;
for (int64_t i = thread; i < cols; i += kThreads) sum += row[i] * row[i];
partial[thread] = sum;
__syncthreads();
for (int half = kThreads / 2; half > 0; half /= 2) {
  if (thread < half) partial[thread] += partial[thread + half];
}
if (thread == 0) sums[blockIdx.x] = partial[0];
//@end
