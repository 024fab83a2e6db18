#include "common/kernels/global_norm.h"

#include <cmath>

#include "common/kernels/cpu/parallel.h"

namespace gpt2::cpu {

int64_t global_norm_workspace(int64_t n) { return (n + kGrain - 1) / kGrain; }

void global_norm(Stream, float* norm, const float* x, float* workspace, int64_t n) {
  parallel_chunks(n, kGrain, [=](int64_t begin, int64_t end) {
    workspace[begin / kGrain] = sum(end - begin, [=](int64_t i) { return x[begin + i] * x[begin + i]; });
  });
  *norm = std::sqrt(sum(global_norm_workspace(n), [=](int64_t i) { return workspace[i]; }));
}

}  // namespace gpt2::cpu
