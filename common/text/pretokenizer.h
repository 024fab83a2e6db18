// GPT-2's pretokenizer: cuts a text into pieces (words with the space before them, numbers, punctuation,
// white space), inside which the byte-pair encoder merges and across which it does not.
//
// The pieces, put together, are the text, whatever its bytes: a maximal run of bytes that are not valid
// UTF-8 is a piece of its own, and a text on either side of it is cut as if it stood alone.
//
// since 03_sampling
#pragma once

#include <cstddef>
#include <memory>
#include <string_view>

struct pcre2_real_match_data_8;

namespace gpt2 {

// Reads the pieces of `text` in order; they are views of it.
//   Pieces pieces(text);
//   for (std::string_view piece; pieces.next(piece);) ...
class Pieces {
 public:
  explicit Pieces(std::string_view text);
  bool next(std::string_view& piece);  // false at the end

 private:
  struct FreeMatch {
    void operator()(pcre2_real_match_data_8* match) const;
  };

  std::string_view text_;  // what is left
  size_t valid_ = 0;       // how much of it, from its start, is known to be valid UTF-8
  std::unique_ptr<pcre2_real_match_data_8, FreeMatch> match_;
};

}  // namespace gpt2
