//@fails large values | the largest logit is wrong
//@solution 07.3 helpers
//@end
//@solution 07.3 kernel
float largest = 0, sum = 0;
for (int64_t i = thread; i < V; i += kThreads) {
  const float now = fmaxf(largest, row[i]);
  sum = sum * expf(largest - now) + expf(row[i] - now);
  largest = now;
}
const float all = block_max(largest);
sum = block_sum(sum * expf(largest - all));
largest = all;
if (thread == 0) {
  largests[blockIdx.x] = largest;
  sums[blockIdx.x] = sum;
}
//@end
