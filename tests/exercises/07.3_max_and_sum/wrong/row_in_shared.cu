//@fails the threads share the row | must not be kept there
//@solution 07.3 helpers
//@end
//@solution 07.3 kernel
__shared__ float kept[8192];
float largest = -INFINITY, sum = 0;
for (int64_t i = thread; i < V; i += kThreads) {
  kept[i] = row[i];
  largest = fmaxf(largest, kept[i]);
}
largest = block_max(largest);
if (largest > -INFINITY) {
  for (int64_t i = thread; i < V; i += kThreads) sum += expf(kept[i] - largest);
}
sum = block_sum(sum);
if (thread == 0) {
  largests[blockIdx.x] = largest;
  sums[blockIdx.x] = sum;
}
//@end
