// Errors: one line that says what is wrong, where, and what to do.
//
// Library code calls fail(); nothing below main() prints an error or exits. A program's main() is
// app::run (common/app/program.h), which prints the message once, after the program's name, and
// exits with status 1.
//
// since 01_module
#pragma once

#include <fmt/format.h>

#include <stdexcept>
#include <string>
#include <utility>

namespace gpt2 {

class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// Throws Error with a message in fmt's format: fail("{}: no such file", path).
template <class... Args>
[[noreturn]] void fail(fmt::format_string<Args...> format, Args&&... args) {
  throw Error(fmt::format(format, std::forward<Args>(args)...));
}

// Throws the same unless `condition` is true.
template <class... Args>
void require(bool condition, fmt::format_string<Args...> format, Args&&... args) {
  if (!condition) fail(format, std::forward<Args>(args)...);
}

}  // namespace gpt2
