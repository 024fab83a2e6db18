// PTX instructions that C++ does not have: products on tensor cores and asynchronous copies into shared
// memory (PTX ISA, "Matrix multiply-accumulate operation using mma instruction", "ldmatrix", "cp.async").
// They need compute capability 8.0 or higher. A build for 7.5 has the kernels too, but they stop at the first of
// these functions.
//
// The lanes of a warp share a matrix: each lane holds a few of its values, a fragment. Lane 4 g + t, t < 4,
// holds
//   of the left factor A, 16 x 16 bf16:   rows g and g + 8, columns 2t, 2t + 1, 2t + 8 and 2t + 9;
//   of the right factor B, 16 x 8 bf16:   column g, rows 2t, 2t + 1, 2t + 8 and 2t + 9;
//   of the result, 16 x 8 floats:         rows g and g + 8, columns 2t and 2t + 1.
// So the result of one product, rounded in pairs, is the left factor of the next product, and no lane needs
// values of another lane.
//
// All lanes of a warp must call these functions together. On the executor they are C++
// (tests/executor/ptx.h); tests/executor/mma_test.cu checks them against the layouts of the PTX manual.
//
// since 08_flash_attention
#pragma once

#include "common/kernels/cuda/gpu.cuh"
#include "common/tensor/bf16.h"

namespace gpt2::cuda {

// d += a b. Each register of a and b holds two bf16; the value of the lower column (in B: of the lower row)
// is in the lower half. a[1] and a[3] belong to row g + 8, a[2] and a[3] to columns from 8 on, b1 to rows
// from 8 on. d[0] and d[1] belong to row g.
__device__ __forceinline__ void mma_16x8x16(float (&d)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ < 800
  __trap();
#elif defined(__CUDACC__)
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
      "{%0, %1, %2, %3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
#else
  executor::mma_16x8x16(d, a, b0, b1);
#endif
}

// Loads four matrices of 8 x 8 bf16 from shared memory. Lane 8 i + r passes the address of row r of matrix i,
// 16-byte aligned. Lane 4 g + t receives in out[i] columns 2t and 2t + 1 of row g of matrix i.
__device__ __forceinline__ void load_matrices(uint32_t (&out)[4], const bf16* row) {
#ifdef __CUDACC__
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(out[0]), "=r"(out[1]), "=r"(out[2]), "=r"(out[3])
               : "r"(unsigned(__cvta_generic_to_shared(row)))
               : "memory");
#else
  executor::load_matrices(out, row, false);
#endif
}

// The same for the transposed matrices: lane 4 g + t receives rows 2t and 2t + 1 of column g.
__device__ __forceinline__ void load_matrices_transposed(uint32_t (&out)[4], const bf16* row) {
#ifdef __CUDACC__
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(out[0]), "=r"(out[1]), "=r"(out[2]), "=r"(out[3])
               : "r"(unsigned(__cvta_generic_to_shared(row)))
               : "memory");
#else
  executor::load_matrices(out, row, true);
#endif
}

// Starts to copy 16 bytes to shared memory; both addresses are 16-byte aligned. If not `inside`, it writes
// zeros and does not read `from`. The thread that started the copy can use the data after wait_for_copies.
__device__ __forceinline__ void start_copy_16_bytes(void* to, const void* from, bool inside) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ < 800
  __trap();
#elif defined(__CUDACC__)
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(unsigned(__cvta_generic_to_shared(to))),
               "l"(__cvta_generic_to_global(from)), "r"(inside ? 16 : 0)
               : "memory");
#else
  executor::start_copy_16_bytes(to, from, inside);
#endif
}

__device__ __forceinline__ void wait_for_copies() {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ < 800
  __trap();
#elif defined(__CUDACC__)
  asm volatile("cp.async.wait_all;" ::: "memory");
#else
  executor::wait_for_copies();
#endif
}

// 2^x in one instruction, with an error of at most 2 units in the last place; results below 2^-126 become 0.
// exp2f needs three more instructions to compute such small results; the flash attention kernels round to
// bf16 and do not need them.
__device__ __forceinline__ float power_of_two(float x) {
#ifdef __CUDACC__
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
#else
  return std::exp2(x);
#endif
}

}  // namespace gpt2::cuda
