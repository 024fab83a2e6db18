//@fails masked values | is an exponential taken of -inf - -inf
//@solution 07.3 helpers
struct alignas(8) Part {
  float largest, sum;
};

__device__ Part merged(const Part& a, const Part& b) {
  const float largest = fmaxf(a.largest, b.largest);
  return {largest, a.sum * expf(a.largest - largest) + b.sum * expf(b.largest - largest)};
}

//@end
