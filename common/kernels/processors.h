// Kernels exist twice, for the CPU and for GPUs, with the same prototypes: cpu::gelu_forward and cuda::gelu_forward.
//
// since 01_module
#pragma once

// Declares the prototypes in its argument in namespace cpu and in namespace cuda. A build without CUDA defines the first
// of each pair only.
#define FOR_CPU_AND_CUDA(...) \
  namespace cpu {             \
  __VA_ARGS__                 \
  }                           \
  namespace cuda {            \
  __VA_ARGS__                 \
  }
