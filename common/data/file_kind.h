// Files that are not what a reader of texts expects: token shards, archives, tables, numbers.
//
// A format is recognised by its first bytes, where it has a fixed beginning, whatever the file's name. The
// messages say what the file is and which command makes something useful of it.
//
// since 04_overfit
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace gpt2 {

// So many bytes of a file's beginning are enough for the functions below.
inline constexpr size_t kBeginningBytes = 1 << 16;

// Returns what the file is if its `beginning` shows that it is no text: "a gzip archive; unpack it with: gzip -dk
// a.gz". Returns an empty string if it may be a text.
std::string binary_kind(const std::string& path, std::string_view beginning);

// The same for a file from which a model is to learn as from a text: JSON Lines are no text either.
std::string kind_unless_text(const std::string& path, std::string_view beginning);

// The same for the file itself, of which it reads the beginning. Throws if the file cannot be read.
std::string binary_kind(const std::string& path);

// How to make a shard of a .bin file that holds token ids (uint16) without a header, as nanoGPT writes them.
std::string how_to_make_shard(const std::string& path);

}  // namespace gpt2
