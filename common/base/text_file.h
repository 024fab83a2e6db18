// Text files from other systems: with a byte order mark at the start, or lines that end in "\r\n".
//
// since 03_sampling
#pragma once

#include <string>
#include <string_view>

namespace gpt2 {

// Returns `text` without a byte order mark, with which UTF-8 files from Windows may begin. Throws if the text
// is UTF-16; the message begins with `name`, the file.
std::string_view skip_byte_order_mark(std::string_view text, const std::string& name);

// Removes the first line from `text`, which must not be empty, and returns it without its "\n" or "\r\n".
std::string_view take_line(std::string_view& text);

// Returns `text` with "\n" for every "\r\n". A single "\r" is kept, unlike in Python's open().
std::string with_unix_lines(std::string_view text);

}  // namespace gpt2
