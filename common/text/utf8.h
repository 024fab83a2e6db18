// UTF-8 for the tokenizers: their input is mostly valid text, but files and models may contain any bytes.
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
    invalid,    // bytes with which no character begins
    truncated,  // a character that is cut off by the end of the text
  };
  Kind kind;
  size_t length;  // in bytes: 1 to 4 if valid, else 1 to 3
};

// Returns the first unit of `text`, which must not be empty. Invalid bytes form units as in Unicode section
// 3.9 ("maximal subparts"): one U+FFFD per unit gives the same result as Python's decode(errors="replace").
Utf8Unit first_utf8_unit(std::string_view text);

// The number of valid bytes, and of invalid bytes, at the start of `text`.
size_t valid_utf8_prefix(std::string_view text);
size_t invalid_utf8_prefix(std::string_view text);

// Returns the bytes as valid UTF-8, with U+FFFD for each invalid unit.
std::string to_utf8(std::string_view bytes);

// Converts bytes that arrive in arbitrary chunks (a token may end in the middle of a character) to valid
// UTF-8 that can be printed immediately. An incomplete character is held back until the rest arrives; invalid
// bytes become U+FFFD.
//   Utf8Stream stream;  for (int32_t id : ids) print(stream.push(decode(id)));  print(stream.finish());
class Utf8Stream {
 public:
  std::string push(std::string_view bytes);
  std::string finish();  // returns U+FFFD if an incomplete character is left

 private:
  std::string waiting_;  // an incomplete character
};

// Makes text from a file or a model safe for a terminal: control characters, which could move the cursor, set
// colours or send keys, are escaped (ESC becomes "\u001b"), and so are invalid bytes ("\xff"). "\n" and "\t"
// are kept.
std::string printable(std::string_view text);

// The same on one line, for names and messages: "\n" and "\t" are escaped too.
std::string printable_line(std::string_view text);

}  // namespace gpt2
