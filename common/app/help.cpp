#include "common/app/help.h"

#include <fmt/format.h>

#include <algorithm>
#include <sstream>

namespace gpt2::app {
namespace {

constexpr size_t kWidth = 100, kIndent = 2, kColumn = 30;  // the texts begin at kColumn

// Breaks a paragraph into lines of at most `width` characters, unless a single word is longer.
std::vector<std::string> wrap(const std::string& text, size_t width) {
  std::vector<std::string> lines = {""};
  std::istringstream words(text);
  for (std::string word; words >> word;) {
    std::string& line = lines.back();
    if (line.empty())
      line = word;
    else if (line.size() + 1 + word.size() <= width)
      line += " " + word;
    else
      lines.push_back(word);
  }
  return lines;
}

std::string layout(const HelpEntry& entry) {
  std::string result = fmt::format("{:{}}{}", "", kIndent, entry.flag);
  const bool fits = result.size() + 2 <= kColumn;  // otherwise its text begins on the next line
  if (!fits) result += "\n";
  size_t used = fits ? result.size() : 0;
  for (const std::string& line : wrap(entry.text, kWidth - kColumn)) {
    result += std::string(kColumn - used, ' ') + line + "\n";
    used = 0;
  }
  return result;
}

}  // namespace

std::string layout_help(const std::string& usage, const std::vector<HelpEntry>& entries) {
  std::vector<std::string> groups;
  for (const HelpEntry& entry : entries) {
    if (std::find(groups.begin(), groups.end(), entry.group) == groups.end()) groups.push_back(entry.group);
  }
  std::string result = "Usage: " + usage + "\n";
  for (const std::string& group : groups) {
    result += "\n" + group + ":\n";
    for (const HelpEntry& entry : entries) {
      if (entry.group == group) result += layout(entry);
    }
  }
  return result;
}

}  // namespace gpt2::app
