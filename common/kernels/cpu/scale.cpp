#include "common/kernels/scale.h"

#include "common/kernels/cpu/parallel.h"

namespace gpt2::cpu {

void scale(Stream, float* y, const float* x, float alpha, int64_t n) {
  parallel_values(n, [=](int64_t i) { y[i] = alpha * x[i]; });
}

}  // namespace gpt2::cpu
