// A corpus as documents: text files in which <|endoftext|> stands between two documents, and JSON Lines, in
// which the value of "text" is one; both may be packed (text_input.h).
//
// A file is cut into blocks of about a megabyte that can be encoded in any order, by any thread: put
// together, the ids of the blocks are those of the documents, each with the id of <|endoftext|> before it, as
// the video's fineweb.py has it. A text is cut only where the tokenizer cannot tell: before a single space
// between two characters that are neither white space nor beyond ASCII, where GPT-2's pretokenizer always
// begins a piece.
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

// Where a block begins: what a reader must be told to go on from there.
struct BlockStart {
  int64_t offset = 0;           // in the unpacked text
  int64_t line = 1;             // the number of its first line (JSON Lines only)
  bool begins_document = true;  // or goes on with the one before (texts only)
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

  // Reads the file from `start` on, in blocks of about `block_bytes`. Throws if the file's name ends neither in .txt
  // nor in .jsonl, nor in one of these and .gz or .zst, if its first bytes show that it is no text, or if no block can
  // begin at `start`.
  explicit BlockReader(std::string path, BlockStart start = {}, size_t block_bytes = kBlockBytes);

  bool next(Block& block);  // false at the end

  int64_t file_position() const { return input_->file_position(); }  // bytes of the file, as it lies on disk
  size_t unserved() const { return buffer_.size(); }                 // bytes of text that were read ahead

 private:
  void skip_to_start();
  size_t find_cut(size_t from) const;

  std::string path_;
  bool json_lines_;
  std::unique_ptr<TextInput> input_;
  BlockStart start_;
  size_t block_bytes_;
  std::string buffer_;  // what was read and not yet served
  bool ended_ = false;
};

// The ids of a block. Fails on a line that is not JSON or has no "text", naming file and line.
std::vector<int32_t> encode_block(const Tokenizer& tokenizer, const Block& block);

}  // namespace gpt2
