#include "common/base/text_file.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "common/base/json.h"
#include "tests/common/files.h"

namespace gpt2 {
namespace {

TEST(TextFile, AByteOrderMarkIsDroppedAndUtf16Refused) {
  for (const auto& [text, expected] : {std::pair<std::string, std::string>{"", ""},
                                       {"a", "a"},
                                       {"\xEF\xBB\xBF", ""},
                                       {"\xEF\xBB\xBF\n", "\n"},
                                       {"a\xEF\xBB\xBF", "a\xEF\xBB\xBF"},
                                       {"\xEF\xBB", "\xEF\xBB"}})
    EXPECT_EQ(skip_byte_order_mark(text, "file"), expected);
  for (const std::string& text : {std::string("\xFF\xFEh\0i\0", 6), std::string("\xFE\xFF\0h", 4)}) {
    EXPECT_ERROR(skip_byte_order_mark(text, "dir/file"),
                 "dir/file: text in UTF-16; make UTF-8 of it with: iconv -f UTF-16");
    EXPECT_ERROR(parse_json(text, "config.json"), "config.json: text in UTF-16");
  }
  EXPECT_EQ(parse_json("\xEF\xBB\xBF{\"a\":\r\n1}\r\n", "file"), nlohmann::json({{"a", 1}}));
}

TEST(TextFile, LinesEndInEitherWay) {
  const std::string text = "a\r\nb\n\r\n\nc\rd\r";
  std::string_view rest = text;
  std::vector<std::string> lines;
  while (!rest.empty()) lines.emplace_back(take_line(rest));
  EXPECT_EQ(lines, (std::vector<std::string>{"a", "b", "", "", "c\rd"}));
}

TEST(TextFile, ReadsWindowsLinesAsPythonDoes) {
  for (const auto& [text, expected] : {std::pair<std::string, std::string>{"", ""},
                                       {"a\r\nb", "a\nb"},
                                       {"\r\n", "\n"},
                                       {"\r\r\n\n", "\r\n\n"},
                                       {"a\rb\r", "a\rb\r"},
                                       {"a\nb\n", "a\nb\n"}})
    EXPECT_EQ(with_unix_lines(text), expected);
}

}  // namespace
}  // namespace gpt2
