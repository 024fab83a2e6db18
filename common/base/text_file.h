// Text files as other systems write them: a byte order mark at the start, lines that end in "\r\n".
//
// since 03_sampling
#pragma once

#include <string>
#include <string_view>

namespace gpt2 {

// `text` without the byte order mark that UTF-8 files from Windows may begin with. Throws if the text is UTF-16;
// the message begins with `name`, the file.
std::string_view skip_byte_order_mark(std::string_view text, const std::string& name);

// Takes the first line off `text`, which is not empty, and returns it without its "\n" or "\r\n".
std::string_view take_line(std::string_view& text);

// `text` with "\n" for every "\r\n", as Python's open() reads it. A "\r" alone stays.
std::string with_unix_lines(std::string_view text);

}  // namespace gpt2
