// GPT-2's pretokenizer: cuts a text into pieces (words with the space before them, numbers, punctuation,
// white space). The byte-pair encoder merges within pieces, never across them.
//
// The concatenated pieces are the text, for any bytes: a maximal run of bytes that are not valid UTF-8 is one
// piece, and the text before and after it is cut independently.
//
// since 03_sampling
#pragma once

#include <cstddef>
#include <memory>
#include <string_view>

struct pcre2_real_match_data_8;

namespace gpt2 {

// Returns the pieces of `text` in order, as views into it.
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

  std::string_view text_;  // the rest of the text
  size_t valid_ = 0;       // number of bytes at its start that are known to be valid UTF-8
  std::unique_ptr<pcre2_real_match_data_8, FreeMatch> match_;
};

}  // namespace gpt2
