// The layout of --help: groups of flags under headings, in two columns and at most 100 characters wide.
//
// since 01_module
#pragma once

#include <string>
#include <vector>

namespace gpt2::app {

struct HelpEntry {
  std::string group;  // the heading; entries of a group are listed together, where its first entry is
  std::string flag;   // the flag and its placeholder: --batch N
  std::string text;   // one paragraph
};

// Returns "Usage: ..." followed by the groups, as lines that end in '\n'.
std::string layout_help(const std::string& usage, const std::vector<HelpEntry>& entries);

}  // namespace gpt2::app
