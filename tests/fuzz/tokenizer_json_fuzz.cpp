// libFuzzer target: a tokenizer.json. What it reads as a tokenizer must encode any text so that it decodes, and its
// files must reopen as the same tokenizer.
#include "common/text/tokenizer_json.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace gpt2;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  fuzz::parse([&] {
    const auto tokenizer = parse_tokenizer_json(text, fuzz::kName);
    const std::string letters = "the fox and the dog<|endoftext|>[PAD]<|user|>\xff";
    for (const std::string_view input : {text, std::string_view(letters)})
      fuzz::check(tokenizer->decode(tokenizer->encode(input)) == input);
    for (const int32_t id : tokenizer->encode_documents(letters))
      fuzz::check(id >= 0 && id < tokenizer->vocab_size());
    const std::vector<Tokenizer::File> files = tokenizer->files();
    const std::vector<AddedToken> added =
        files.size() > 2 ? parse_added_tokens(files[2].text, fuzz::kName) : std::vector<AddedToken>{};
    const Vocabulary vocabulary = parse_vocabulary(files[0].text, fuzz::kName, added);
    const BpeTokenizer again(vocabulary, parse_merges(files[1].text, fuzz::kName, vocabulary));
    fuzz::check(again.encode_documents(letters) == tokenizer->encode_documents(letters));
  });
  return 0;
}
