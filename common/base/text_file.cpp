#include "common/base/text_file.h"

#include <algorithm>

#include "common/base/error.h"

namespace gpt2 {

std::string_view skip_byte_order_mark(std::string_view text, const std::string& name) {
  if (text.starts_with("\xFF\xFE") || text.starts_with("\xFE\xFF"))
    fail("{}: text in UTF-16; make UTF-8 of it with: iconv -f UTF-16 -t UTF-8", name);
  constexpr std::string_view kMark = "\xEF\xBB\xBF";
  return text.starts_with(kMark) ? text.substr(kMark.size()) : text;
}

std::string_view take_line(std::string_view& text) {
  std::string_view line = text.substr(0, text.find('\n'));
  text.remove_prefix(std::min(line.size() + 1, text.size()));
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

std::string with_unix_lines(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  for (;;) {
    const size_t end = text.find("\r\n");
    result += text.substr(0, end);
    if (end == text.npos) return result;
    text.remove_prefix(end + 1);  // keep the "\n"
  }
}

}  // namespace gpt2
