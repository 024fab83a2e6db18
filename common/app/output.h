// Files that a program writes. It replaces files that such a program has written before, and no others: a typing
// error in a file name must not cost a text, weights or a picture.
//
// since 01_module
#pragma once

#include <string>

namespace gpt2::app {

enum class OutputKind { log, npy, png };

// Throws unless `path` may be written: it does not exist, is empty, or contains a file of this kind. A device
// or a pipe is accepted too, but not a pipe that nobody reads, because opening it would block.
void require_output(const std::string& path, OutputKind kind);

}  // namespace gpt2::app
