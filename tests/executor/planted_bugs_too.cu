// A second file with the header's functions, in another order: the linker has to make one of both.
#include "tests/executor/planted_bugs.cuh"

namespace planted {

__global__ void another_user(float* out, const float* ones) {
  *slot(out) = through_shared(false, sum_through_shared(ones[threadIdx.x]));
}

}  // namespace planted
