// Reads a text file from beginning to end, and decompresses it if its name ends in .gz (zlib) or .zst
// (libzstd).
//
// since 13_fineweb
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

namespace gpt2 {

class TextInput {
 public:
  virtual ~TextInput() = default;

  // Fills `buffer` as far as the text goes and returns the number of bytes written; 0 at the end. Throws if
  // the archive is damaged or truncated; the message names the file.
  virtual size_t read(std::span<char> buffer) = 0;

  // Returns the number of bytes of the file on disk used so far.
  virtual int64_t file_position() const = 0;
};

std::unique_ptr<TextInput> open_text(const std::string& path);

}  // namespace gpt2
