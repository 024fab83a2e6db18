// A tokenizer turns text into token ids and back: what a model reads and writes is ids.
//
// Tokenizers do not change after they are made; any number of threads may use one.
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

  // The ids of a text; never the id of <|endoftext|> (tiktoken's encode_ordinary).
  virtual std::vector<int32_t> encode(std::string_view text) const = 0;

  // The bytes of the ids; fails on an id that is outside the vocabulary. The ids of a model may end inside
  // a character: Utf8Stream makes text of them.
  virtual std::string decode(std::span<const int32_t> ids) const = 0;

  // The number of ids: they are 0..vocab_size()-1, added tokens included.
  virtual int64_t vocab_size() const = 0;
  // The same without the added tokens. A model has at least this many rows; for tokens that were added to the tokenizer
  // alone it has none.
  virtual int64_t base_size() const { return vocab_size(); }
  virtual std::optional<int32_t> end_of_text() const = 0;

  // What a folder must hold for make_tokenizer to make the same tokenizer of it, under Hugging Face's names.
  struct File {
    std::string name, text;
  };
  virtual std::vector<File> files() const = 0;  // since 13_fineweb

  // The ids of a text in which <|endoftext|> and the added tokens are written as they are: each is its one id, as
  // transformers has it, and the longest of several counts. After read_special_tokens(false) this is encode().
  std::vector<int32_t> encode_documents(std::string_view text) const;

  // Whether encode_documents() finds those tokens in a text (it does by default). Called before any thread encodes.
  void read_special_tokens(bool reads) { reads_special_tokens_ = reads; }

 protected:
  virtual const std::vector<AddedToken>& special_tokens() const;  // none by default

  // decode() for a tokenizer that has the bytes of every token.
  static std::string join(std::span<const int32_t> ids, const std::vector<std::string>& bytes);

 private:
  bool reads_special_tokens_ = true;
};

// `spec` is "byte", "char" (the characters of `corpus`, which "byte" and a folder do not look at), or a
// folder with vocab.bpe and encoder.json (OpenAI's names), merges.txt and vocab.json (Hugging Face's) or
// tokenizer.json (what transformers 5 saves), which is read where neither pair is complete. added_tokens.json is read
// beside a pair; vocab.json alone is that of a CharTokenizer.
std::unique_ptr<Tokenizer> make_tokenizer(const std::string& spec, std::string_view corpus);

// Whether the folder holds a tokenizer's files, complete or not: make_tokenizer says what is missing.
bool has_tokenizer(const std::string& folder);

}  // namespace gpt2
