// Checks that an SVG picture is well-formed XML.
#pragma once

#include <algorithm>
#include <regex>
#include <string>
#include <string_view>
#include <vector>

namespace gpt2::testing {

// Returns whether the text may be between tags or be an attribute's value: no "<", and "&" only in entities.
inline bool is_character_data(std::string_view text) {
  for (size_t at = 0; (at = text.find_first_of("<&", at)) != std::string_view::npos; ++at) {
    const auto begins = [&](std::string_view entity) { return text.substr(at).starts_with(entity); };
    if (!begins("&lt;") && !begins("&gt;") && !begins("&amp;") && !begins("&quot;") && !begins("&#39;"))
      return false;
  }
  return true;
}

// Removes the first tag from `xml` and returns it with empty attribute values, because long values overflow
// std::regex's stack. Returns an empty string if a value is invalid.
inline std::string take_tag(std::string_view& xml) {
  std::string tag;
  char quote = 0;  // the open quote, or 0
  while (!xml.empty()) {
    const size_t end = std::min(quote ? xml.find(quote) : xml.find_first_of("\"'>"), xml.size() - 1);
    const std::string_view part = xml.substr(0, end);
    const char last = xml[end];
    xml.remove_prefix(end + 1);
    if (quote && !is_character_data(part)) return "";
    if (!quote) tag += part;
    tag += last == '\'' ? '"' : last;
    if (!quote && last == '>') break;
    quote = quote ? 0 : last;
  }
  return tag;
}

// Returns what is wrong with an XML document of elements, attributes and text, with or without a declaration;
// "" if nothing.
inline std::string xml_fault(std::string_view xml) {
  static const std::regex kTag(R"(<(/?)([A-Za-z]+)((?:\s+[A-Za-z][A-Za-z0-9:-]*\s*=\s*"")*)\s*(/?)>)");
  if (xml.starts_with("<?xml ")) xml.remove_prefix(std::min(xml.find("?>"), xml.size() - 2) + 2);
  std::vector<std::string> open;
  while (!xml.empty()) {
    const std::string_view rest = xml;
    const size_t text = std::min(xml.find('<'), xml.size());
    if (!is_character_data(xml.substr(0, text))) return "no text: " + std::string(rest.substr(0, 60));
    xml.remove_prefix(text);
    if (xml.empty()) break;
    const std::string tag = take_tag(xml);
    std::smatch match;
    if (!std::regex_match(tag, match, kTag)) return "no tag: " + std::string(rest.substr(text, 60));
    const std::string name = match[2];
    if (match[1].length() == 0 && match[4].length() == 0) open.push_back(name);
    if (match[1].length() == 0) continue;
    if (open.empty() || open.back() != name) return "</" + name + "> closes nothing";
    open.pop_back();
  }
  return open.empty() ? "" : "<" + open.back() + "> is not closed";
}

}  // namespace gpt2::testing
