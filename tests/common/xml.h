// Whether a picture that a script wrote is XML at all: what the tests of SVGs share.
#pragma once

#include <regex>
#include <string>
#include <vector>

namespace gpt2::testing {

// "", or what is wrong with an XML document of elements, attributes and text.
inline std::string xml_fault(std::string xml) {
  static const std::regex kTag(R"(^<(/?)([A-Za-z]+)((?:\s+[A-Za-z][A-Za-z0-9:-]*="[^"<&]*")*)\s*(/?)>)");
  static const std::regex kText(R"(^(?:[^<>&]|&(?:lt|gt|amp|quot|#39);)+)");
  std::vector<std::string> open;
  for (std::smatch match; !xml.empty(); xml = match.suffix().str()) {
    if (std::regex_search(xml, match, kText)) continue;
    if (!std::regex_search(xml, match, kTag)) return "neither tag nor text: " + xml.substr(0, 60);
    const std::string name = match[2];
    if (match[1].length() == 0 && match[4].length() == 0) open.push_back(name);
    if (match[1].length() == 0) continue;
    if (open.empty() || open.back() != name) return "</" + name + "> closes nothing";
    open.pop_back();
  }
  return open.empty() ? "" : "<" + open.back() + "> is not closed";
}

}  // namespace gpt2::testing
