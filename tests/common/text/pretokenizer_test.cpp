#include "common/text/pretokenizer.h"

#include <gtest/gtest.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <cstdint>
#include <cstdlib>
#include <ctime>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <vector>

#include "common/text/utf8.h"
#include "paths.h"
#include "tests/common/files.h"

namespace gpt2 {
namespace {

using Strings = std::vector<std::string>;

Strings pieces_of(std::string_view text) {
  Strings result;
  Pieces pieces(text);
  for (std::string_view piece; pieces.next(piece);) result.emplace_back(piece);
  return result;
}

std::string utf8_of(uint32_t c) {
  if (c < 0x80) return {char(c)};
  if (c < 0x800) return {char(0xC0 | c >> 6), char(0x80 | (c & 63))};
  if (c < 0x10000) return {char(0xE0 | c >> 12), char(0x80 | (c >> 6 & 63)), char(0x80 | (c & 63))};
  return {char(0xF0 | c >> 18), char(0x80 | (c >> 12 & 63)), char(0x80 | (c >> 6 & 63)),
          char(0x80 | (c & 63))};
}

TEST(Pieces, CutAsGpt2Does) {
  EXPECT_EQ(pieces_of(""), Strings{});
  EXPECT_EQ(pieces_of("Hello, I'm here!"), (Strings{"Hello", ",", " I", "'m", " here", "!"}));
  EXPECT_EQ(pieces_of("it's we'll they've you're I'd don't"),
            (Strings{"it", "'s", " we", "'ll", " they", "'ve", " you", "'re", " I", "'d", " don", "'t"}));
  EXPECT_EQ(pieces_of("IT'S 'x"), (Strings{"IT", "'", "S", " '", "x"}));  // contractions are lower case
  EXPECT_EQ(pieces_of("a1b 22"), (Strings{"a", "1", "b", " 22"}));
  EXPECT_EQ(pieces_of("x = -1;\n"), (Strings{"x", " =", " -", "1", ";", "\n"}));
}

TEST(Pieces, ARunOfWhiteSpaceLeavesItsLastToTheWordBehind) {
  EXPECT_EQ(pieces_of("a   b"), (Strings{"a", "  ", " b"}));
  EXPECT_EQ(pieces_of("a \n\nb"), (Strings{"a", " \n", "\n", "b"}));
  EXPECT_EQ(pieces_of("a \n "), (Strings{"a", " \n "}));
  EXPECT_EQ(pieces_of("\n\n"), (Strings{"\n\n"}));
}

TEST(Pieces, AMaximalRunOfInvalidBytesIsOnePiece) {
  EXPECT_EQ(pieces_of("\xFF"), (Strings{"\xFF"}));
  EXPECT_EQ(pieces_of("ab\xFF\xC0\xE2\x82 cd"), (Strings{"ab", "\xFF\xC0\xE2\x82", " cd"}));
  EXPECT_EQ(pieces_of("a  \x80\x80  b\xF0\x9F"), (Strings{"a", "  ", "\x80\x80", " ", " b", "\xF0\x9F"}));
}

TEST(Pieces, PutTogetherAreTheTextForAnyBytes) {
  std::mt19937 random(2);
  for (int round = 0; round < 300; ++round) {
    std::string text;
    const unsigned range = round % 2 ? 256 : 0xC8;
    for (unsigned i = random() % 200; i > 0; --i) text += char(random() % range);
    std::string together;
    for (const std::string& piece : pieces_of(text)) {
      EXPECT_FALSE(piece.empty());
      together += piece;
    }
    ASSERT_EQ(together, text);
  }
}

// PCRE2 may know a later Unicode than the goldens, which calls letters what had no meaning before.
bool unicode_is_later_than(int version) {
  char text[64];
  pcre2_config(PCRE2_CONFIG_UNICODE_VERSION, text);
  return std::atoi(text) > version;
}

TEST(Pieces, EveryCharacterIsOfTiktokensClass) {
  const auto golden =
      nlohmann::json::parse(testing::file_bytes(GPT2_SOURCE_DIR "/tests/golden/tokenizer.json"));
  std::vector<std::string> expected(0x110000, "other");
  for (const auto& [kind, ranges] : golden.at("classes").items())
    for (const auto& range : ranges)
      for (uint32_t c = range[0]; c <= range[1]; ++c) expected[c] = kind;
  const bool later = unicode_is_later_than(std::stoi(golden.at("unicode").get<std::string>()));
  int64_t letters = 0;
  for (uint32_t c = 0; c < 0x110000; ++c) {
    if (c >= 0xD800 && c < 0xE000) continue;
    const std::string character = utf8_of(c);
    Strings kinds;  // those of whose run the character is part
    if (pieces_of("a" + character).size() == 1) kinds.push_back("letter");
    if (pieces_of("1" + character).size() == 1) kinds.push_back("number");
    if (pieces_of("!" + character).size() == 1) kinds.push_back("other");
    if (pieces_of("\n" + character).size() == 1) kinds.push_back("white_space");
    const bool may_differ = later && expected[c] == "other";
    ASSERT_TRUE(may_differ || kinds == Strings{expected[c]})
        << "U+" << std::hex << c << ", not " << expected[c];
    letters += expected[c] == "letter";
  }
  EXPECT_GT(letters, 140000);
}

TEST(Pieces, AMegabyteOfOneKindEndsWithinASecondAsOnePiece) {
  for (const std::string unit : {"a", "1", "!", " ", "\n", "\x80", "\xC3\xA9", "\xE3\x80\x80"}) {
    std::string text;
    while (text.size() < 1'000'000) text += unit;
    const std::clock_t start = std::clock();
    EXPECT_EQ(pieces_of(text).size(), 1u) << unit;
    EXPECT_LE(std::clock() - start, 1 * CLOCKS_PER_SEC) << unit;
  }
}

TEST(Pieces, AMegabyteOfWhiteSpaceBeforeAWordIsLeftButForItsLast) {
  for (const std::string unit : {" ", "\n", "\xE3\x80\x80", " \xE3\x80\x80\n\xC2\xA0 "}) {
    std::string text;
    while (text.size() < 1'000'000) text += unit;
    const Strings pieces = pieces_of(text + "word");
    ASSERT_EQ(pieces.size(), text.back() == ' ' ? 2u : 3u) << unit;
    EXPECT_GT(pieces[0].size(), 999'990u);
  }
}

}  // namespace
}  // namespace gpt2
