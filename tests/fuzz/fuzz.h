// What the fuzz targets share: whatever the input, a parser returns a value or throws a one-line Error
// that begins with the file's name; anything else ends the run.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "common/base/error.h"

namespace gpt2::fuzz {

inline void check(bool claim) {
  if (!claim) std::abort();
}

inline constexpr const char* kName = "dir/file";

template <class Action>
void parse(Action action) {
  try {
    action();
  } catch (const Error& error) {
    const std::string_view message = error.what();
    check(message.starts_with(kName));
    for (const unsigned char c : message) check(c >= 0x20 && c != 0x7f);
  }
}

}  // namespace gpt2::fuzz
