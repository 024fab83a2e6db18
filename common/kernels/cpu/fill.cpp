#include "common/kernels/fill.h"

#include "common/kernels/cpu/parallel.h"

namespace gpt2::cpu {

void fill(Stream, float* y, float value, int64_t n) {
  parallel_values(n, [=](int64_t i) { y[i] = value; });
}

void arange(Stream, int32_t* y, int64_t n) {
  parallel_values(n, [=](int64_t i) { y[i] = static_cast<int32_t>(i); });
}

}  // namespace gpt2::cpu
