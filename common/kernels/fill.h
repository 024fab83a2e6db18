// Fills memory with a constant or with 0, 1, 2, ...
//
// since 01_module
#pragma once

#include "common/kernels/processors.h"
#include "common/tensor/device.h"

namespace gpt2 {

FOR_CPU_AND_CUDA(
    // y[i] = value; y: n floats.
    void fill(Stream stream, float* y, float value, int64_t n);

    // y[i] = i; y: n ids.
    void arange(Stream stream, int32_t* y, int64_t n);)
}  // namespace gpt2
