// libFuzzer target: a vocab.json (encoder.json), of bytes and of characters.
#include "common/text/char_tokenizer.h"
#include "common/text/vocabulary.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace gpt2;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  fuzz::parse([&] {
    const Vocabulary vocabulary = parse_vocabulary(text, fuzz::kName);
    fuzz::check(vocabulary.ids.size() == vocabulary.bytes.size());
    for (int byte = 0; byte < 256; ++byte)
      fuzz::check(vocabulary.bytes.at(vocabulary.byte_ids[byte]) == std::string(1, static_cast<char>(byte)));
  });
  fuzz::parse([&] {
    const std::vector<std::string> characters = parse_characters(text, fuzz::kName);
    fuzz::check(parse_characters(CharTokenizer(characters).files()[0].text, fuzz::kName) == characters);
  });
  return 0;
}
