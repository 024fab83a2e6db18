// libFuzzer target: any bytes as a text. Every tokenizer encodes it so that it decodes, and streaming
// prints the same valid UTF-8 however the bytes are cut.
#include "common/text/pretokenizer.h"
#include "common/text/tokenizer.h"
#include "common/text/utf8.h"
#include "tests/fuzz/fuzz.h"

namespace {

std::string streamed(std::string_view text, size_t chunk) {
  gpt2::Utf8Stream stream;
  std::string printed;
  for (size_t at = 0; at < text.size(); at += chunk) printed += stream.push(text.substr(at, chunk));
  return printed + stream.finish();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace gpt2;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  std::string together;
  Pieces pieces(text);
  for (std::string_view piece; pieces.next(piece);) {
    // A piece is valid or it is not; none is both.
    fuzz::check(valid_utf8_prefix(piece) + invalid_utf8_prefix(piece) == piece.size());
    together += piece;
  }
  fuzz::check(together == text);

  static const auto byte = make_tokenizer("byte", "");
  fuzz::check(byte->decode(byte->encode(text)) == text);
  fuzz::check(byte->decode(byte->encode_documents(text)) == text);
  if (!text.empty()) {
    const auto characters = make_tokenizer("char", text);
    fuzz::check(characters->decode(characters->encode(text)) == text);
  }

  const std::string printed = streamed(text, 1);
  fuzz::check(valid_utf8_prefix(printed) == printed.size());
  fuzz::check(printed == streamed(text, 3) && printed == streamed(text, text.size() + 1));
  return 0;
}
