// Dropout (Srivastava et al. 2014, section 4): sets randomly chosen values to 0 and scales up the others, so
// that the expected value stays the same. T: float or bf16.
//
// The mask is not stored. Whether value i is dropped depends only on seed, site, draw and i, on the CPU and
// on the GPU alike, so the backward pass computes the mask again. The random bits come from Philox: the seed
// is the key and (i / 4, site, draw) the counter; the four words belong to values i, i + 1, i + 2 and i + 3.
//
// since 13_fineweb
#pragma once

#include "common/kernels/philox.h"
#include "common/kernels/processors.h"
#include "common/tensor/device.h"

namespace gpt2 {

class DropoutMask {
 public:
  // p, 0 <= p < 1, is the probability that a value is dropped, rounded to 32 bits. `site` is the place in the
  // model. `draw` selects the mask; it lies on the kernel's device, so that each replay of a CUDA graph can
  // use another draw.
  DropoutMask(double p, uint64_t seed, uint32_t site, const int64_t* draw)
      : seed_(seed), draw_(draw), site_(site), dropped_(uint32_t(p * 0x1p32)), scale_(float(1 / (1 - p))) {}

  GPT2_HOST_DEVICE int64_t draw() const { return *draw_; }

  // The random words of values i to i + 3; i is a multiple of 4. The words repeat after 2^34 values.
  GPT2_HOST_DEVICE PhiloxWords words(int64_t i, int64_t draw) const {
    return philox({uint32_t(i / 4), site_, uint32_t(draw), uint32_t(uint64_t(draw) >> 32)}, seed_);
  }
  GPT2_HOST_DEVICE float apply(float x, uint32_t word) const { return word < dropped_ ? 0 : x * scale_; }

 private:
  uint64_t seed_;
  const int64_t* draw_;
  uint32_t site_, dropped_;  // a word below dropped_ drops its value
  float scale_;
};

FOR_CPU_AND_CUDA(
    // y[i] = x[i] / (1 - p), or 0 where the mask drops i; n values; y may be x. The backward pass is the same
    // function, applied to the gradients.
    template <class T> void dropout(Stream stream, T* y, const T* x, const DropoutMask& mask, int64_t n);)
}  // namespace gpt2
