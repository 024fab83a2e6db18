#include "common/tensor/random.h"

#include <cmath>
#include <numbers>
#include <utility>

namespace gpt2 {
namespace {

constexpr size_t kBlock = 16;

// Turns 16 uniform values in [0, 1) into 16 normal values.
void box_muller(float* values, float mean, float std) {
  for (size_t j = 0; j < kBlock / 2; ++j) {
    const float radius = std::sqrt(-2.0f * std::log(1.0f - values[j]));
    const float theta = 2.0f * std::numbers::pi_v<float> * values[j + kBlock / 2];
    values[j] = radius * std::cos(theta) * std + mean;
    values[j + kBlock / 2] = radius * std::sin(theta) * std + mean;
  }
}

}  // namespace

uint64_t Generator::random64() {
  const uint64_t high = engine_();
  return high << 32 | engine_();
}

double Generator::uniform_double() { return double(random64() & ((uint64_t{1} << 53) - 1)) * 0x1p-53; }

void Generator::uniform(std::span<float> values, float low, float high) {
  for (float& value : values) {
    value = std::fma(float(engine_() & ((1u << 24) - 1)) * 0x1p-24f, high - low, low);
  }
}

void Generator::normal(std::span<float> values, float mean, float std) {
  if (values.size() < kBlock) {
    for (float& value : values) value = float(one_normal() * double(std) + double(mean));
    return;
  }
  uniform(values, 0, 1);
  const int64_t blocks = int64_t(values.size() / kBlock);
#pragma omp parallel for schedule(static)
  for (int64_t block = 0; block < blocks; ++block) box_muller(&values[size_t(block) * kBlock], mean, std);
  if (values.size() % kBlock != 0) {
    const auto last = values.last(kBlock);
    uniform(last, 0, 1);
    box_muller(last.data(), mean, std);
  }
}

double Generator::one_normal() {
  if (kept_normal_) return *std::exchange(kept_normal_, std::nullopt);
  const double theta = 2 * std::numbers::pi * uniform_double();
  const double radius = std::sqrt(-2 * std::log1p(-uniform_double()));
  kept_normal_ = radius * std::sin(theta);
  return radius * std::cos(theta);
}

void Generator::exponential(std::span<float> values) {
  for (float& value : values) value = float(-std::log1p(-uniform_double()));
}

}  // namespace gpt2
