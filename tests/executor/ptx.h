// C++ versions of the PTX in common/kernels/cuda/mma.cuh: matrix fragments that are distributed over the
// lanes of a warp, and asynchronous copies.
//
// The warp functions here order the lanes' memory accesses, as __syncwarp does. The real mma and ldmatrix do
// not guarantee that, so the executor does not find a missing __syncwarp next to them.
//
// since 08_flash_attention
#pragma once

#include <cstdint>

#include "tests/executor/scheduler.h"

namespace executor {

void mma_16x8x16(float (&d)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1,
                 Place where = Place::here());

// `row` is 16-byte aligned, as for ldmatrix; otherwise the program aborts.
void load_matrices(uint32_t (&out)[4], const void* row, bool transposed, Place where = Place::here());

// The bytes are copied only when the thread waits for them. A read before that sees the old values.
void start_copy_16_bytes(void* to, const void* from, bool inside);
void wait_for_copies();

}  // namespace executor
