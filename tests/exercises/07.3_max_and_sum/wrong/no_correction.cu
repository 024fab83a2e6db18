//@fails values | relative to the same largest logit
//@solution 07.3 helpers
//@end
//@solution 07.3 kernel
float largest = -1e30f, sum = 0;
for (int64_t i = thread; i < V; i += kThreads) {
  largest = fmaxf(largest, row[i]);
  sum += expf(row[i] - largest);
}
const float all = block_max(largest);
sum = block_sum(sum * expf(largest - all));
largest = all;
if (thread == 0) {
  largests[blockIdx.x] = largest;
  sums[blockIdx.x] = sum;
}
//@end
