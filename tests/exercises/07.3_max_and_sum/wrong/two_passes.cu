//@fails values | read each logit once
//@solution 07.3 helpers
//@end
//@solution 07.3 kernel
float largest = -INFINITY, sum = 0;
for (int64_t i = thread; i < V; i += kThreads) largest = fmaxf(largest, row[i]);
largest = block_max(largest);
if (largest > -INFINITY) {
  for (int64_t i = thread; i < V; i += kThreads) sum += expf(row[i] - largest);
}
sum = block_sum(sum);
if (thread == 0) {
  largests[blockIdx.x] = largest;
  sums[blockIdx.x] = sum;
}
//@end
