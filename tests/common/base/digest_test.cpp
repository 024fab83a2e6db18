#include "common/base/digest.h"

#include <gtest/gtest.h>

#include <string>

namespace gpt2 {
namespace {

TEST(Digest, IsXxHashs) {
  EXPECT_EQ(to_hex(digest_of(std::string_view())), "2d06800538d394c2");  // XXH3_64bits of nothing
  EXPECT_EQ(to_hex(0xab), "00000000000000ab");
}

TEST(Digest, DependsOnTheBytesAndNotOnHowTheyAreDivided) {
  std::string bytes(100'000, ' ');
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = char(i * i % 251);
  const uint64_t whole = digest_of(bytes);
  for (const size_t piece : {1, 7, 64, 4096, 99'999}) {
    Digest digest;
    for (size_t at = 0; at < bytes.size(); at += piece) digest.add(std::string_view(bytes).substr(at, piece));
    EXPECT_EQ(digest.value(), whole) << piece;
  }
  for (const size_t at : {0, 1, 50'000, 99'999}) {
    bytes[at] ^= 1;
    EXPECT_NE(digest_of(bytes), whole) << at;
    bytes[at] ^= 1;
  }
}

}  // namespace
}  // namespace gpt2
