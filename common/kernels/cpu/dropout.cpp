#include "common/kernels/dropout.h"

#include "common/kernels/cpu/parallel.h"

namespace gpt2::cpu {
namespace {

constexpr int64_t kWords = 1024;  // words at a time, 4 KB, so that both loops below can be vectorised

// `mask` is passed by value: with a reference, the compiler would have to assume that y may alias it.
template <class T>
void drop(T* y, const T* x, DropoutMask mask, int64_t draw, int64_t begin, int64_t end) {
  uint32_t words[kWords];
#pragma omp simd
  for (int64_t i = 0; i < kWords; i += 4) {
    const PhiloxWords four = mask.words(begin + i, draw);
    words[i] = four.a;
    words[i + 1] = four.b;
    words[i + 2] = four.c;
    words[i + 3] = four.d;
  }
#pragma omp simd
  for (int64_t i = begin; i < end; ++i) y[i] = mask.apply(x[i], words[i - begin]);
}

}  // namespace

template <class T>
void dropout(Stream, T* y, const T* x, const DropoutMask& mask, int64_t n) {
  parallel_chunks(n, kGrain, [=, draw = mask.draw()](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i += kWords) drop(y, x, mask, draw, i, std::min(end, i + kWords));
  });
}

template void dropout(Stream, float*, const float*, const DropoutMask&, int64_t);
template void dropout(Stream, bf16*, const bf16*, const DropoutMask&, int64_t);

}  // namespace gpt2::cpu
