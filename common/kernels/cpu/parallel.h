// How the CPU kernels share work between threads and add numbers up.
//
// Both depend on the shape alone, never on the number of threads: the same input gives the same bits on one
// thread and on many. So there is no `reduction` clause and no atomic; a sum over many chunks is one partial
// sum a chunk, and those are added in order.
//
// since 01_module
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>

namespace gpt2::cpu {

// Values a chunk: 64 KB of floats, some microseconds of work, more than it costs to wake a thread.
inline constexpr int64_t kGrain = 16384;

// Rows of `cols` values that make a chunk.
inline int64_t rows_per_chunk(int64_t cols) {
  return std::max<int64_t>(1, kGrain / std::max<int64_t>(1, cols));
}

// body(begin, end) for consecutive chunks of [0, n), on all threads; a single chunk starts none.
template <class Body>
void parallel_chunks(int64_t n, int64_t chunk, const Body& body) {
  const int64_t chunks = (n + chunk - 1) / chunk;
#pragma omp parallel for schedule(static) if (chunks > 1)
  for (int64_t c = 0; c < chunks; ++c) body(c * chunk, std::min(n, (c + 1) * chunk));
}

// body(i) for each i in [0, n), as vector instructions on all threads; no i may depend on another.
template <class Body>
void parallel_values(int64_t n, const Body& body) {
  parallel_chunks(n, kGrain, [&](int64_t begin, int64_t end) {
#pragma omp simd
    for (int64_t i = begin; i < end; ++i) body(i);
  });
}

// Sums and maxima run in this many lanes side by side, joined pairwise at the end: the order that vector
// registers want, spelled out, because without fast-math the compiler must not choose it.
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

// The largest of x[0] ... x[n - 1], float or bf16; NaN is passed over, -inf if there is nothing else.
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
