// libFuzzer target: a merges.txt (vocab.bpe), over a vocabulary that has the bytes and all words of one to
// four letters of "abc". What it reads as merges must still encode any text so that it decodes.
#include <nlohmann/json.hpp>

#include "common/text/bpe.h"
#include "tests/fuzz/fuzz.h"

namespace {

gpt2::Vocabulary make_vocabulary() {
  nlohmann::json tokens;
  for (const auto& token : gpt2::byte_vocabulary().ids) tokens[token.first] = token.second;
  std::vector<std::string> words = {"a", "b", "c"};
  for (size_t i = 0; words[i].size() < 4; ++i)
    for (const char letter : {'a', 'b', 'c'}) {
      words.push_back(words[i] + letter);
      tokens.emplace(words.back(), tokens.size());
    }
  return gpt2::parse_vocabulary(tokens.dump(), "vocab.json");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace gpt2;
  static const Vocabulary vocabulary = make_vocabulary();
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  fuzz::parse([&] {
    const BpeTokenizer tokenizer(vocabulary, parse_merges(text, fuzz::kName, vocabulary));
    const std::string letters = "abcabacbcaabbccacbabcaaaabbbbcccc";
    for (const std::string_view input : {text, std::string_view(letters)})
      fuzz::check(tokenizer.decode(tokenizer.encode(input)) == input);
  });
  return 0;
}
