#include "common/text/utf8.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

namespace gpt2 {
namespace {

// The encoding of a code point by the definition (RFC 3629, section 3); "" for what has none.
std::string encoded(uint32_t c) {
  if ((c >= 0xD800 && c < 0xE000) || c > 0x10FFFF) return "";
  const int length = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
  if (length == 1) return {char(c)};
  std::string bytes(size_t(length), '\0');
  for (int i = length - 1; i > 0; --i, c >>= 6) bytes[i] = char(0x80 | (c & 0x3F));
  bytes[0] = char(0xF00 >> length | c);
  return bytes;
}

// What decode(bytes, "utf-8", errors="replace") gives when the bytes come in chunks of `size`.
std::string streamed(std::string_view bytes, size_t size) {
  Utf8Stream stream;
  std::string text;
  for (size_t at = 0; at < bytes.size(); at += size) text += stream.push(bytes.substr(at, size));
  return text + stream.finish();
}

TEST(Utf8, EveryCodePointIsOneValidUnit) {
  for (uint32_t c = 0; c <= 0x10FFFF; ++c) {
    const std::string bytes = encoded(c);
    if (bytes.empty()) continue;
    const Utf8Unit unit = first_utf8_unit(bytes + "\x80");
    ASSERT_EQ(unit.kind, Utf8Unit::Kind::valid) << c;
    ASSERT_EQ(unit.length, bytes.size()) << c;
  }
}

TEST(Utf8, NothingElseIsValid) {
  // Each is what a lenient decoder takes for a character: overlong, a surrogate, above U+10FFFF, no lead.
  for (const char* bytes :
       {"\xC0\x80", "\xC1\xBF", "\xE0\x9F\xBF", "\xED\xA0\x80", "\xED\xBF\xBF", "\xF0\x8F\xBF\xBF",
        "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xF8\x88\x80\x80\x80", "\xFF", "\x80", "\xBF", "\xC3(",
        "\xE2\x82(", "\xF0\x9F\x99("})
    EXPECT_EQ(first_utf8_unit(bytes).kind, Utf8Unit::Kind::invalid) << bytes;
}

TEST(Utf8, ACharacterCutShortIsTruncatedAtEveryLength) {
  for (const std::string character :
       {"\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x99\x82", "\xED\x9F\xBF", "\xF4\x8F\xBF\xBF"})
    for (size_t length = 1; length < character.size(); ++length) {
      const Utf8Unit unit = first_utf8_unit(character.substr(0, length));
      EXPECT_EQ(unit.kind, Utf8Unit::Kind::truncated);
      EXPECT_EQ(unit.length, length);
    }
}

TEST(Utf8, ValidAndInvalidPrefixesTakeTurns) {
  const std::string_view text = "h\xC3\xA9\xFF\xE2\x82x\xF0\x9F";
  EXPECT_EQ(valid_utf8_prefix(text), 3u);
  EXPECT_EQ(invalid_utf8_prefix(text), 0u);
  EXPECT_EQ(invalid_utf8_prefix(text.substr(3)), 3u);
  EXPECT_EQ(valid_utf8_prefix(text.substr(3)), 0u);
  EXPECT_EQ(valid_utf8_prefix(text.substr(6)), 1u);
  EXPECT_EQ(invalid_utf8_prefix(text.substr(7)), 2u);
  EXPECT_EQ(valid_utf8_prefix("") + invalid_utf8_prefix(""), 0u);
}

TEST(Utf8Stream, NeverPrintsHalfACharacter) {
  Utf8Stream stream;
  EXPECT_EQ(stream.push("a\xF0\x9F"), "a");
  EXPECT_EQ(stream.push("\x99"), "");
  EXPECT_EQ(stream.push("\x82!"), "\xF0\x9F\x99\x82!");
  EXPECT_EQ(stream.finish(), "");
}

TEST(Utf8Stream, InvalidBytesBecomeReplacementCharactersAsInPython) {
  const std::string r = "\xEF\xBF\xBD";
  EXPECT_EQ(streamed("a\xFFz", 1), "a" + r + "z");
  EXPECT_EQ(streamed("\xE2\x82z", 1), r + "z");
  EXPECT_EQ(streamed("\xED\xA0\x80", 1), r + r + r);
  EXPECT_EQ(streamed("\xF4\x90\x80\x80", 1), r + r + r + r);
  EXPECT_EQ(streamed("\xF0\x9F\x99", 1), r);
  EXPECT_EQ(streamed("\xE2\xE2\x82\xAC", 1), r + "\xE2\x82\xAC");
}

TEST(Utf8Stream, GivesTheSameValidTextHoweverTheBytesAreCut) {
  std::mt19937 random(1);
  const std::vector<std::string> parts = {"a",    "\xC3",     "\xA9",     "\xE2\x82",
                                          "\xAC", "\xF0\x9F", "\x99\x82", "\xED\xA0"};
  for (int round = 0; round < 200; ++round) {
    std::string bytes;
    for (int i = 0; i < 50; ++i) bytes += parts[random() % parts.size()];
    const std::string whole = streamed(bytes, bytes.size());
    EXPECT_EQ(valid_utf8_prefix(whole), whole.size());
    for (size_t size : {1, 2, 3, 7}) ASSERT_EQ(streamed(bytes, size), whole);
  }
}

// Nothing that comes from a file moves a terminal's cursor.
TEST(Printable, ControlCharactersAndWrongBytesAreEscaped) {
  for (const auto& [text, expected, line] : std::vector<std::array<std::string, 3>>{
           {"", "", ""},
           {"h\u00e9 \u20ac \U0001F642", "h\u00e9 \u20ac \U0001F642", "h\u00e9 \u20ac \U0001F642"},
           {"a\tb\n", "a\tb\n", "a\\u0009b\\u000a"},
           {"\x1b[31m", "\\u001b[31m", "\\u001b[31m"},
           {"a\rb\x07\x7f", "a\\u000db\\u0007\\u007f", "a\\u000db\\u0007\\u007f"},
           {std::string("\0", 1), "\\u0000", "\\u0000"},
           {"\xC2\x9b"
            "2J\xC2\xA0",
            "\\u009b2J\xC2\xA0", "\\u009b2J\xC2\xA0"},  // CSI in one character
           {"\x9b"
            "2J\xE2\x82",
            "\\x9b2J\\xe2\\x82", "\\x9b2J\\xe2\\x82"}}) {
    EXPECT_EQ(printable(text), expected);
    EXPECT_EQ(printable_line(text), line);
  }
}

}  // namespace
}  // namespace gpt2
