// Random numbers that equal those of torch's CPU generator, draw by draw: after the same seed the same calls
// give the same initial weights and the same samples as the video's code under torch.
//
// The engine is mt19937. What torch makes of its 32-bit outputs (aten/src/ATen/core/DistributionsHelper.h and
// native/cpu/DistributionTemplates.h) is written at each function; tests/golden/rng.json holds torch's
// values.
//
// since 01_module
#pragma once

#include <cstdint>
#include <optional>
#include <random>
#include <span>

namespace gpt2 {

class Generator {
 public:
  explicit Generator(uint64_t seed) : engine_(uint32_t(seed)) {}

  // Uniform in [low, high): 24 bits of one output, times high - low, plus low with a single rounding.
  void uniform(std::span<float> values, float low, float high);

  // Normal, by Box and Muller. Sixteen values or more: in float, in blocks of 16 that pair u[j] with u[j +
  // 8]; unless 16 divides the size, the last 16 values are drawn anew. Fewer: in double, two at a time, the
  // second kept for the next short call.
  void normal(std::span<float> values, float mean, float std);

  // Exponential with rate 1, computed in double.
  void exponential(std::span<float> values);

 private:
  uint64_t random64();
  double uniform_double();  // 53 bits, in [0, 1)
  double one_normal();

  std::mt19937 engine_;
  std::optional<double> kept_normal_;
};

}  // namespace gpt2
