// A text file read from front to back, unpacked on the way where its name ends in .gz (zlib) or .zst
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

  // Fills `buffer` as far as the text goes -> how much was written; 0 at the end. Fails on a damaged or
  // truncated archive, naming the file.
  virtual size_t read(std::span<char> buffer) = 0;

  // How many bytes of the file, as it lies on disk, were used so far.
  virtual int64_t file_position() const = 0;
};

std::unique_ptr<TextInput> open_text(const std::string& path);

}  // namespace gpt2
