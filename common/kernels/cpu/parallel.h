// How the CPU kernels share work between threads and compute sums.
//
// Both depend only on the shape, never on the number of threads: the same input gives the same bits on one
// thread and on many. So there is no `reduction` clause and no atomic. A sum over many chunks has one partial
// sum per chunk; the partial sums are added in order.
//
// since 01_module
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>

namespace gpt2::cpu {

// Values per chunk: 64 KB of floats. The work takes some microseconds, longer than it takes to wake a thread.
inline constexpr int64_t kGrain = 16384;

// Number of rows of `cols` values in a chunk.
inline int64_t rows_per_chunk(int64_t cols) {
  return std::max<int64_t>(1, kGrain / std::max<int64_t>(1, cols));
}

// Calls body(begin, end) for consecutive chunks of [0, n) on all threads; a single chunk runs on the calling
// thread.
template <class Body>
void parallel_chunks(int64_t n, int64_t chunk, const Body& body) {
  const int64_t chunks = (n + chunk - 1) / chunk;
#pragma omp parallel for schedule(static) if (chunks > 1)
  for (int64_t c = 0; c < chunks; ++c) body(c * chunk, std::min(n, (c + 1) * chunk));
}

// Calls body(i) for each i in [0, n), vectorised and on all threads; the calls must be independent.
template <class Body>
void parallel_values(int64_t n, const Body& body) {
  parallel_chunks(n, kGrain, [&](int64_t begin, int64_t end) {
#pragma omp simd
    for (int64_t i = begin; i < end; ++i) body(i);
  });
}

// Sums and maxima are computed in this many lanes, which are combined pairwise at the end. This order suits
// vector registers. It is written out because without fast-math the compiler must not reorder additions.
inline constexpr int kLanes = 32;

// term(0) + ... + term(n - 1).
template <class Term>
float sum(int64_t n, const Term& term) {
  float lanes[kLanes] = {};
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
#pragma omp simd
    for (int lane = 0; lane < kLanes; ++lane) lanes[lane] += term(i + lane);
  }
  for (int lane = 0; i < n; ++i, ++lane) lanes[lane] += term(i);
  for (int width = kLanes / 2; width > 0; width /= 2) {
    for (int lane = 0; lane < width; ++lane) lanes[lane] += lanes[lane + width];
  }
  return lanes[0];
}

// The largest of x[0] ... x[n - 1], float or bf16. NaNs are ignored; the result is -inf if there is no other
// value.
template <class X>
float maximum(int64_t n, const X* x) {
  float lanes[kLanes];
  std::fill_n(lanes, kLanes, -std::numeric_limits<float>::infinity());
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
#pragma omp simd
    for (int lane = 0; lane < kLanes; ++lane) lanes[lane] = std::max<float>(lanes[lane], x[i + lane]);
  }
  for (int lane = 0; i < n; ++i, ++lane) lanes[lane] = std::max<float>(lanes[lane], x[i]);
  return *std::max_element(lanes, lanes + kLanes);
}

}  // namespace gpt2::cpu
