// UTF-8 as the tokenizers meet it: bytes that are mostly text, from files and models that promise nothing.
//
// Valid means Unicode's Table 3-7: no overlong forms, no surrogates, nothing above U+10FFFF.
//
// since 03_sampling
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace gpt2 {

struct Utf8Unit {
  enum class Kind {
    valid,      // one character
    invalid,    // bytes that no character begins with
    truncated,  // a character that the end of the text cuts short
  };
  Kind kind;
  size_t length;  // in bytes: 1 to 4 where valid, 1 to 3 otherwise
};

// The first unit of `text`, which is not empty. Bytes that are not valid form units as in Unicode
// section 3.9 ("maximal subparts"), so that one U+FFFD for each gives what Python's
// decode(errors="replace") gives.
Utf8Unit first_utf8_unit(std::string_view text);

// How many bytes at the start of `text` are valid, and how many are not.
size_t valid_utf8_prefix(std::string_view text);
size_t invalid_utf8_prefix(std::string_view text);

// The bytes as valid UTF-8: U+FFFD in place of what is not.
std::string to_utf8(std::string_view bytes);

// Turns bytes that come in arbitrary chunks (a token may end inside a character) into valid UTF-8 that
// may be printed as it comes: the start of a character waits for its rest, bytes that are not valid
// come out as U+FFFD.
//   Utf8Stream stream;  for (int32_t id : ids) print(stream.push(decode(id)));  print(stream.finish());
class Utf8Stream {
 public:
  std::string push(std::string_view bytes);
  std::string finish();  // what still waits, as U+FFFD: its rest did not come

 private:
  std::string waiting_;  // less than one character
};

}  // namespace gpt2
