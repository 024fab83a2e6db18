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

namespace gpt2 {

// The token between documents. In a text it is ordinary characters unless asked for.
inline constexpr std::string_view kEndOfText = "<|endoftext|>";

class Tokenizer {
 public:
  virtual ~Tokenizer() = default;

  // The ids of a text; never the id of <|endoftext|> (tiktoken's encode_ordinary).
  virtual std::vector<int32_t> encode(std::string_view text) const = 0;

  // The bytes of the ids; fails on an id that is outside the vocabulary. The ids of a model may end inside
  // a character: Utf8Stream makes text of them.
  virtual std::string decode(std::span<const int32_t> ids) const = 0;

  virtual int64_t vocab_size() const = 0;
  virtual std::optional<int32_t> end_of_text() const = 0;

  // What a folder must hold for make_tokenizer to make the same tokenizer of it, under Hugging Face's names.
  struct File {
    std::string name, text;
  };
  virtual std::vector<File> files() const = 0;  // since 13_fineweb

  // The ids of a text in which "<|endoftext|>" is that token and ends a document. A tokenizer without that
  // token encodes the characters.
  std::vector<int32_t> encode_documents(std::string_view text) const;

 protected:
  // decode() for a tokenizer that has the bytes of every token.
  static std::string join(std::span<const int32_t> ids, const std::vector<std::string>& bytes);
};

// `spec` is "byte", "char" (the characters of `corpus`, which "byte" and a folder do not look at), or a
// folder with vocab.bpe and encoder.json (OpenAI's names) or merges.txt and vocab.json (Hugging Face's);
// vocab.json alone is that of a CharTokenizer.
std::unique_ptr<Tokenizer> make_tokenizer(const std::string& spec, std::string_view corpus);

// Whether the folder holds a tokenizer's files, complete or not: make_tokenizer says what is missing.
bool has_tokenizer(const std::string& folder);

}  // namespace gpt2
