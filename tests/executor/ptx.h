// What common/kernels/cuda/mma.cuh writes in PTX, in C++: matrix fragments that the lanes of a warp hold
// together, and copies that have only begun.
//
// The functions for warps order the lanes' memory, as __syncwarp does; mma and ldmatrix do not promise that
// to kernels, so a missing __syncwarp beside them goes unseen here.
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

// The bytes arrive when the thread waits for them, no earlier: who reads them before finds what was there.
void start_copy_16_bytes(void* to, const void* from, bool inside);
void wait_for_copies();

}  // namespace executor
