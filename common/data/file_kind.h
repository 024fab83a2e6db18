// Recognises files that are not text: token shards, archives, tables, numbers.
//
// A format is recognised by its first bytes, if they are fixed, and not by the file's name. The messages say
// what the file is and which command converts it.
//
// since 04_overfit
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace gpt2 {

// The number of bytes at a file's beginning that the functions below need.
inline constexpr size_t kBeginningBytes = 1 << 16;

// Returns what the file is if its `beginning` shows that it is not text: "a gzip archive; unpack it with:
// gzip -dk a.gz". Returns an empty string if it may be text.
std::string binary_kind(const std::string& path, std::string_view beginning);

// The same for the whole `text` of a file that is to be learned from. Here these are no text either: a file with
// a NUL byte anywhere, JSON and JSON Lines (by the name, or because the text begins with an object or array), and
// tables (by the names .csv and .tsv).
std::string kind_unless_text(const std::string& path, std::string_view text);

// The same, but reads the beginning from the file. Throws if the file cannot be read.
std::string binary_kind(const std::string& path);

// Returns how to make a shard from a .bin file of token ids (uint16) without a header, as written by nanoGPT.
std::string how_to_make_shard(const std::string& path);

}  // namespace gpt2
