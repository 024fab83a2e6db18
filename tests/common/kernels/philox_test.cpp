#include "common/kernels/philox.h"

#include <gtest/gtest.h>

#include <array>

namespace gpt2::testing {
namespace {

std::array<uint32_t, 4> bits(const PhiloxWords& counter, uint64_t key) {
  const PhiloxWords words = philox(counter, key);
  return {words.a, words.b, words.c, words.d};
}

// The known answers that the authors' library (Random123 1.14, kat_vectors) is tested with.
TEST(PhiloxTest, GivesTheAuthorsKnownAnswers) {
  EXPECT_EQ(bits({0, 0, 0, 0}, 0), (std::array<uint32_t, 4>{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(bits({0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, 0xffffffffffffffff),
            (std::array<uint32_t, 4>{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(bits({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, 0x299f31d0a4093822),
            (std::array<uint32_t, 4>{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

}  // namespace
}  // namespace gpt2::testing
