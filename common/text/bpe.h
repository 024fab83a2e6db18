// GPT-2's byte-pair encoding (Sennrich et al. 2016, over bytes as in Radford et al. 2019).
//
// The encoding of a piece of text starts with one token per byte. Then the adjacent pair whose merge has the
// lowest rank (the leftmost, if there are several) becomes one token, until no merge applies. All byte
// sequences can be encoded, and decode(encode(x)) == x. Without merges it is a byte tokenizer.
//
// since 03_sampling
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/text/tokenizer.h"
#include "common/text/vocabulary.h"

namespace gpt2 {

// Two tokens that become a third; the rank of a merge is its index in the list.
struct Merge {
  int32_t left, right, result;
};

// Parses lines "left right" in the vocabulary's spelling, lowest rank first, after an optional first line
// "#version: ..." (vocab.bpe, merges.txt). If a merge occurs twice, the later rank counts, as in
// transformers. Throws if a line is invalid; the message gives the line and `name`, the file.
std::vector<Merge> parse_merges(std::string_view text, const std::string& name, const Vocabulary& vocabulary);

// Returns the merge of two spellings. Throws unless both and their result are in the vocabulary; messages
// begin with `where`.
Merge make_merge(const std::string& left, const std::string& right, const Vocabulary& vocabulary,
                 const std::string& where);

// Returns `merges` without duplicates: each pair stays only at its last position.
std::vector<Merge> without_repeats(const std::vector<Merge>& merges);

// Throws if no merge makes a token of the vocabulary, as when the file `name` of the merges was cut or emptied.
// Tokens without a merge are the bytes, the added tokens, and what the pretokenizer never leaves whole: <pad>.
void require_all_made(const Vocabulary& vocabulary, const std::vector<Merge>& merges,
                      const std::string& name);

class BpeTokenizer final : public Tokenizer {
 public:
  BpeTokenizer(Vocabulary vocabulary, std::vector<Merge> merges);

  // Takes O(n log n) time for one piece of n bytes.
  std::vector<int32_t> encode(std::string_view text) const override;
  std::string decode(std::span<const int32_t> ids) const override;
  int64_t vocab_size() const override { return static_cast<int64_t>(vocabulary_.bytes.size()); }
  int64_t base_size() const override { return static_cast<int64_t>(vocabulary_.ids.size()); }
  std::optional<int32_t> end_of_text() const override;
  std::vector<File> files() const override;  // vocab.json, merges.txt, added_tokens.json (if any)

 protected:
  const std::vector<AddedToken>& special_tokens() const override { return vocabulary_.added; }

 private:
  void encode_piece(std::string_view piece, std::vector<int32_t>& ids) const;
  size_t slot_of(int32_t left, int32_t right) const;

  Vocabulary vocabulary_;
  std::vector<Merge> merges_;
  // The rank of each pair, in a hash table with open addressing: a new word spends most of its time on
  // look-ups, and with std::unordered_map encoding takes a quarter longer.
  std::vector<int32_t> ranks_;
};

}  // namespace gpt2
