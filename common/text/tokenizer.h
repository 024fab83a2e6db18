// A tokenizer converts text to token ids and back. A model reads and writes token ids.
//
// A tokenizer does not change after it is made, so any number of threads may use it.
//
// since 03_sampling
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/text/vocabulary.h"

namespace gpt2 {

// The token between documents.
inline constexpr std::string_view kEndOfText = "<|endoftext|>";

class Tokenizer {
 public:
  virtual ~Tokenizer() = default;

  // Returns the ids of a text; never the id of <|endoftext|> (tiktoken's encode_ordinary).
  virtual std::vector<int32_t> encode(std::string_view text) const = 0;

  // Returns the bytes of the ids. Throws if an id is outside the vocabulary. A model's ids may end in the
  // middle of a character: Utf8Stream converts such bytes to text.
  virtual std::string decode(std::span<const int32_t> ids) const = 0;

  // Returns the number of ids 0..vocab_size()-1, including added tokens.
  virtual int64_t vocab_size() const = 0;
  // The same without the added tokens. A model has at least this many rows. It may have no rows for tokens
  // that were added only to the tokenizer.
  virtual int64_t base_size() const { return vocab_size(); }
  virtual std::optional<int32_t> end_of_text() const = 0;

  // The files, under Hugging Face's names, from which make_tokenizer makes the same tokenizer.
  struct File {
    std::string name, text;
  };
  virtual std::vector<File> files() const = 0;  // since 13_fineweb

  // Returns the ids of a text in which <|endoftext|> and the added tokens are special: each becomes its
  // single id, as in transformers. If several match, the longest counts. After read_special_tokens(false)
  // this is encode().
  std::vector<int32_t> encode_documents(std::string_view text) const;

  // Sets whether encode_documents() treats those tokens as special (default: true). Call it before any thread
  // encodes.
  void read_special_tokens(bool reads) { reads_special_tokens_ = reads; }

 protected:
  virtual const std::vector<AddedToken>& special_tokens() const;  // default: none

  // Implements decode() for a tokenizer that stores the bytes of every token.
  static std::string join(std::span<const int32_t> ids, const std::vector<std::string>& bytes);

 private:
  bool reads_special_tokens_ = true;
};

// Makes the tokenizer that `spec` names: "byte", "char" (the characters of `corpus`, which is used for
// nothing else), or a folder. The folder holds vocab.bpe and encoder.json (OpenAI's names), or merges.txt and
// vocab.json (Hugging Face's), or tokenizer.json (saved by transformers 5), which is read if neither pair is
// complete. With a pair, added_tokens.json is read too, and with both, tokenizer_config.json and
// special_tokens_map.json. A vocab.json alone belongs to a CharTokenizer.
std::unique_ptr<Tokenizer> make_tokenizer(const std::string& spec, std::string_view corpus);

// Returns "50257 ids, digest 0123456789abcdef": equal if and only if the tokenizers have the same ids, wherever
// their files are.   since 13_fineweb
std::string identity(const Tokenizer& tokenizer);

// Returns whether the folder holds any file of a tokenizer. If some are missing, make_tokenizer says which.
bool has_tokenizer(const std::string& folder);

}  // namespace gpt2
