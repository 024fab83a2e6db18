// A generator of integers with the same stream on every platform: splitmix64 (Steele, Lea and Flood 2014). It
// is written out here because the C++ standard does not fix the output of its distributions.
//
// since 01_module
#pragma once

#include <cstdint>

namespace gpt2::tale {

class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}

  // Returns a number in [0, n); n > 0. The bias of this multiply-shift method is below n / 2^32.
  uint32_t below(uint32_t n) { return static_cast<uint32_t>(((next() >> 32) * n) >> 32); }
  bool one_in(uint32_t n) { return below(n) == 0; }

  template <class Container>
  const auto& pick(const Container& choices) {
    return choices[below(static_cast<uint32_t>(choices.size()))];
  }

 private:
  uint64_t next() {
    uint64_t z = (state_ += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }

  uint64_t state_;
};

}  // namespace gpt2::tale
