// A generator of whole numbers that gives the same stream on every platform: splitmix64 (Steele, Lea and
// Flood 2014) written out, because the standard leaves the output of its distributions open.
//
// since 01_module
#pragma once

#include <cstdint>

namespace gpt2::tale {

class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}

  // A number in [0, n), 0 < n. The bias of the multiply-shift is below n / 2^32.
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
