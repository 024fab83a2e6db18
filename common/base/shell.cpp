#include "common/base/shell.h"

namespace gpt2 {

std::string shell_word(const std::string& text) {
  const std::string path = text.starts_with('-') ? "./" + text : text;
  const auto is_plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string("_./-+=:,@%").find(c) != std::string::npos;
  };
  bool plain = !path.empty();
  std::string quoted = "'";
  for (const char c : path) {
    plain = plain && is_plain(c);
    quoted += c == '\'' ? "'\\''" : std::string(1, c);
  }
  return plain ? path : quoted + "'";
}

}  // namespace gpt2
