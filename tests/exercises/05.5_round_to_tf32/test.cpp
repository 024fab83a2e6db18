#include "rounding.h"

#include <bit>
#include <limits>

#include "tests/exercises/exercise.h"

namespace {

using Bits = std::vector<uint32_t>;

Bits student(const Bits& inputs, int kept) {
  Bits results;
  for (const uint32_t bits : inputs)
    results.push_back(std::bit_cast<uint32_t>(round_mantissa(std::bit_cast<float>(bits), kept)));
  return results;
}

// The oracle works on values, not on bits: in units of the last kept place, rounded to an even integer.
uint32_t oracle(uint32_t bits, int kept) {
  const double x = std::bit_cast<float>(bits);
  if (std::isinf(x) || x == 0) return bits;
  const int exponent =
      std::max(std::ilogb(x), -126);  // subnormals have the unit of the smallest normal numbers
  const double unit = std::ldexp(1.0, exponent - kept);
  const double count = std::abs(x) / unit, below = std::floor(count), rest = count - below;
  const bool up = rest > 0.5 || (rest == 0.5 && std::fmod(below, 2) == 1);
  const double value = (below + up) * unit;
  const float result = value >= 0x1p128 ? std::numeric_limits<float>::infinity() : float(value);
  return std::bit_cast<uint32_t>(std::copysign(result, float(x)));
}

bool is_nan(uint32_t bits) { return (bits & 0x7fffffff) > 0x7f800000; }

[[maybe_unused]] std::string show(uint32_t bits) {
  return fmt::format("{:#010x} ({:.9g})", bits, std::bit_cast<float>(bits));
}

void check(const Bits& inputs, const Bits& results, int kept, const std::string& message) {
  CHECK(results.size() == inputs.size(), "the results are incomplete");
  for (size_t i = 0; i < inputs.size(); ++i) {
    const uint32_t expected = oracle(inputs[i], kept);
    CHECK(results[i] == expected, "{}: {} kept bits of {}: got {}, expected {}", message, kept,
          show(inputs[i]), show(results[i]), show(expected));
  }
}

}  // namespace

// Every sign, exponent and upper 7 bits of mantissa, each with five lower halves.
CASE("all upper halves") {
  Bits inputs;
  for (const uint32_t tail : {uint32_t{0}, uint32_t{0x7fff}, uint32_t{0x8001}, uint32_t{0xffff},
                              uint32_t(draw.integer(1, 0xffff)) | 1}) {
    for (uint32_t top = 0; top < 0x10000; ++top)
      if (!is_nan(top << 16 | tail)) inputs.push_back(top << 16 | tail);
  }
  for (const int kept : {7, 10}) {
    const Bits results = STUDENT(student(inputs, kept));
    check(inputs, results, kept, "not the nearest number");
  }
}

CASE("ties") {
  for (const int kept : {7, 10, int(draw.integer(3, 20))}) {
    Bits inputs;
    for (int i = 0; i < 2000; ++i) {
      const uint32_t top = uint32_t(draw.integer(0x00800000, 0x7f000000)) | uint32_t(draw.integer(0, 1))
                                                                                << 31;
      inputs.push_back((top >> (23 - kept) << (23 - kept)) | uint32_t{1} << (22 - kept));
    }
    const Bits results = STUDENT(student(inputs, kept));
    int64_t up = 0;
    for (size_t i = 0; i < results.size(); ++i) up += results[i] > inputs[i];
    CHECK(up != 0, "you cut the bits off: a number half way between two neighbours never goes up");
    CHECK(up != 2000, "all ties go away from zero; they go to the neighbour whose last kept bit is 0");
    check(inputs, results, kept, "a tie goes to the neighbour whose last kept bit is 0");
  }
}

CASE("infinity and overflow") {
  const Bits inputs{0x7f800000, 0xff800000, 0x7f7fffff, 0xff7fffff, 0x7f7f0000,
                    0x7f7f7fff, 0x7f7f8000, 0x7f7fefff, 0x7f7ff000};
  for (const int kept : {7, 10}) {
    const Bits results = STUDENT(student(inputs, kept));
    check(inputs, results, kept,
          "infinity stays; numbers that round up beyond the largest one become infinite");
  }
}

CASE("NaN") {
  Bits inputs{0x7fc00000, 0x7f800001, 0xff800001, 0x7fffffff, 0xffffffff, 0x7fbfffff};
  for (int i = 0; i < 50; ++i)
    inputs.push_back(0x7f800000 | uint32_t(draw.integer(1, 0x7fffff)) | uint32_t(draw.integer(0, 1)) << 31);
  for (const int kept : {7, 10}) {
    const Bits results = STUDENT(student(inputs, kept));
    for (size_t i = 0; i < inputs.size(); ++i) {
      CHECK(is_nan(results[i]),
            "the NaN {:#010x} became {}: adding carried into the exponent, or the bits that made it a NaN "
            "were cut off",
            inputs[i], show(results[i]));
      const uint32_t expected = (inputs[i] | 0x00400000) & ~uint32_t{0} << (23 - kept);
      CHECK(
          results[i] == expected,
          "the NaN {:#010x} became {:#010x}: sign and upper bits stay, the first bit of the mantissa is set",
          inputs[i], results[i]);
    }
  }
}

CASE("subnormals and zeros") {
  Bits inputs{0, 0x80000000, 1, 0x80000001, 0x007fffff, 0x00007fff, 0x00008000, 0x00008001, 0x00018000};
  for (int i = 0; i < 500; ++i) inputs.push_back(uint32_t(draw.integer(0, 0x00ffffff)));
  for (const int kept : {7, 10}) {
    const Bits results = STUDENT(student(inputs, kept));
    check(inputs, results, kept, "numbers near 0 are rounded like the others");
  }
}
