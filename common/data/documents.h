// A corpus as documents. In a text file, <|endoftext|> separates two documents. In JSON Lines, the value of
// "text" is one document, and <|endoftext|> in it is ordinary text. Both may be compressed (text_input.h). A
// byte order mark is removed, and "\r\n" in a text file is read as "\n".
//
// A file is cut into blocks of about a megabyte that can be encoded in any order, by any thread. The
// concatenated ids of the blocks are the ids of the documents, each preceded by the id of <|endoftext|>, as
// in the video's fineweb.py. A text is cut only where this does not change the ids: before a single space
// between two ASCII characters that are not white space. There GPT-2's pretokenizer always begins a piece.
//
// since 13_fineweb
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "common/data/text_input.h"
#include "common/text/tokenizer.h"

namespace gpt2 {

// Where a block begins: all that a reader needs to continue from there.
struct BlockStart {
  int64_t offset = 0;           // in the uncompressed text
  int64_t line = 1;             // number of its first line (JSON Lines only)
  bool begins_document = true;  // false: continues the document before (text files only)
  bool operator==(const BlockStart&) const = default;
};

struct Block {
  std::string file;
  bool json_lines;
  BlockStart start;
  std::string text;  // never empty
};

class BlockReader {
 public:
  static constexpr size_t kBlockBytes = 1 << 20;

  // Reads the file from `start` on, in blocks of about `block_bytes`. Throws if the file's name does not end
  // in .txt or .jsonl, optionally followed by .gz or .zst; if its first bytes show that it is not text, or are
  // JSON Lines although the name ends in .txt; or if no block can begin at `start`.
  explicit BlockReader(std::string path, BlockStart start = {}, size_t block_bytes = kBlockBytes);

  bool next(Block& block);  // false at the end

  int64_t file_position() const { return input_->file_position(); }  // in bytes of the file on disk
  size_t unserved() const { return buffer_.size(); }                 // bytes of text read ahead

 private:
  void skip_to_start();
  size_t find_cut(size_t from) const;

  std::string path_;
  bool json_lines_;
  std::unique_ptr<TextInput> input_;
  BlockStart start_;
  size_t block_bytes_;
  std::string buffer_;  // text that was read but not yet returned
  bool ended_ = false;
};

// Returns the ids of a block. Throws if a line is not JSON or has no "text"; the message names file and line.
std::vector<int32_t> encode_block(const Tokenizer& tokenizer, const Block& block);

}  // namespace gpt2
