//@fails values | relative to the same largest logit
//@solution 07.3 helpers
struct alignas(8) Part {
  float largest, sum;
};

__device__ Part merged(const Part& a, const Part& b) {
  const float largest = fmaxf(a.largest, b.largest);
  if (largest == -INFINITY) return {-INFINITY, 0};
  return {largest, a.sum * expf(a.largest - largest) + b.sum * expf(b.largest - largest)};
}

//@end
//@solution 07.3 kernel
Part part{-INFINITY, 0};
for (int64_t i = thread; i < V; i += kThreads) part = merged(part, {row[i], 1});
const float largest = block_max(part.largest), sum = block_sum(part.sum);
if (thread == 0) {
  largests[blockIdx.x] = largest;
  sums[blockIdx.x] = sum;
}
//@end
