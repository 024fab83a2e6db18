// The same random numbers as torch's CPU generator: with the same seed, the same calls give the same initial
// weights and the same samples as the video's code under torch.
//
// The engine is mt19937. Each function says how torch computes its result from the 32-bit outputs
// (aten/src/ATen/core/DistributionsHelper.h and native/cpu/DistributionTemplates.h). tests/golden/rng.json
// holds torch's values.
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

  // Uniform in [low, high): 24 bits of one output, times high - low, plus low, with a single rounding.
  void uniform(std::span<float> values, float low, float high);

  // Normal, by the Box-Muller method. Sixteen or more values are computed in float, in blocks of 16, where
  // u[j] is paired with u[j+8]; if 16 does not divide the size, the last 16 values are drawn again. Fewer
  // than sixteen values are computed in double, two at a time; an unused second value is kept for the next
  // such call.
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
