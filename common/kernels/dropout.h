// Dropout (Srivastava et al. 2014, section 4): some values, picked at random, become 0, and the others grow
// so that their expectation stays what it was. T: float or bf16.
//
// A mask is not stored. Whether value i is dropped is a function of seed, site, draw and i alone, the same on
// both processors: the backward pass works the mask out again. Philox makes the bits, keyed with the seed,
// from the counter (i / 4, site, draw); its four words are those of values i, i + 1, i + 2 and i + 3.
//
// since 13_fineweb
#pragma once

#include "common/kernels/philox.h"
#include "common/tensor/device.h"

namespace gpt2 {

class DropoutMask {
 public:
  // 0 <= p < 1 is the share of values that are dropped, to 32 bits. `site` is the place in the model. The
  // draw, another mask for each, lies on the kernel's device: a CUDA graph is replayed with the next one.
  DropoutMask(double p, uint64_t seed, uint32_t site, const int64_t* draw)
      : seed_(seed), draw_(draw), site_(site), dropped_(uint32_t(p * 0x1p32)), scale_(float(1 / (1 - p))) {}

  GPT2_HOST_DEVICE int64_t draw() const { return *draw_; }

  // The words of values i to i + 3, i a multiple of 4. They come again after 2^34 values.
  GPT2_HOST_DEVICE PhiloxWords words(int64_t i, int64_t draw) const {
    return philox({uint32_t(i / 4), site_, uint32_t(draw), uint32_t(uint64_t(draw) >> 32)}, seed_);
  }
  GPT2_HOST_DEVICE float apply(float x, uint32_t word) const { return word < dropped_ ? 0 : x * scale_; }

 private:
  uint64_t seed_;
  const int64_t* draw_;
  uint32_t site_, dropped_;  // words below this one drop their value
  float scale_;
};

namespace cpu {

// y[i] = x[i] / (1 - p), or 0 where the mask drops i; n values; y may be x. Forward and, on gradients,
// backward.
template <class T>
void dropout(Stream stream, T* y, const T* x, const DropoutMask& mask, int64_t n);

}  // namespace cpu

namespace cuda {

template <class T>
void dropout(Stream stream, T* y, const T* x, const DropoutMask& mask, int64_t n);

}  // namespace cuda
}  // namespace gpt2
