#include "common/text/pretokenizer.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <cstdint>
#include <new>
#include <string>

#include "common/base/error.h"
#include "common/text/utf8.h"

namespace gpt2 {
namespace {

// Unicode grows: what counts as a letter depends on the year of the library. tiktoken knows Unicode 16,
// Debian 12's PCRE2 knows 14, so the letters and numbers of 15 and 16 are listed.
// clang-format off
constexpr const char* kLetters =
    R"(\p{L}\x{1C89}\x{1C8A}\x{A7CB}-\x{A7CD}\x{A7DA}-\x{A7DC}\x{105C0}-\x{105F3}\x{10D4A}-\x{10D65})"
    R"(\x{10D6F}-\x{10D85}\x{10EC2}-\x{10EC4}\x{1123F}\x{11240}\x{11380}-\x{11389}\x{1138B}\x{1138E})"
    R"(\x{11390}-\x{113B5}\x{113B7}\x{113D1}\x{113D3}\x{11BC0}-\x{11BE0}\x{11F02}\x{11F04}-\x{11F10})"
    R"(\x{11F12}-\x{11F33}\x{1342F}\x{13441}-\x{13446}\x{13460}-\x{143FA}\x{16100}-\x{1611D})"
    R"(\x{16D40}-\x{16D6C}\x{18CFF}\x{1B132}\x{1B155}\x{1DF25}-\x{1DF2A}\x{1E030}-\x{1E06D})"
    R"(\x{1E4D0}-\x{1E4EB}\x{1E5D0}-\x{1E5ED}\x{1E5F0}\x{2B739}\x{2EBF0}-\x{2EE5D}\x{31350}-\x{323AF})";
constexpr const char* kNumbers =
    R"(\p{N}\x{10D40}-\x{10D49}\x{116D0}-\x{116E3}\x{11BF0}-\x{11BF9}\x{11F50}-\x{11F59})"
    R"(\x{16130}-\x{16139}\x{16D70}-\x{16D79}\x{1CCF0}-\x{1CCF9}\x{1D2C0}-\x{1D2D3}\x{1E4F0}-\x{1E4F9})"
    R"(\x{1E5F1}-\x{1E5FA})";
// clang-format on

// Unicode's White_Space. PCRE2's \s with UCP is almost this, but has U+180E (no white space since Unicode
// 6.3) as well.
constexpr const char* kSpaces = R"(\t-\r\x{85}\p{Z})";

// The pattern of GPT-2's encoder.py,
//   's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
// with possessive repeats, which match the same and never go back: a run of any length costs no stack.
std::string pattern() {
  return fmt::format(
      "'(?:[sdmt]|ll|ve|re)| ?[{0}]++| ?[{1}]++| ?[^{2}{0}{1}]++|[{2}]++$|[{2}]+(?![^{2}])|[{2}]", kLetters,
      kNumbers, kSpaces);
}

// Compiled once; PCRE2 allows any number of threads to match with it.
const pcre2_code* compiled_pattern() {
  static const pcre2_code* const code = [] {
    const std::string text = pattern();
    int error = 0;
    PCRE2_SIZE offset = 0;
    const uint32_t options = PCRE2_UTF | PCRE2_ANCHORED | PCRE2_DOLLAR_ENDONLY;
    pcre2_code* compiled = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), options,
                                         &error, &offset, nullptr);
    require(compiled != nullptr, "PCRE2 refuses GPT-2's pattern: error {} at {}; is it built with Unicode?",
            error, offset);
    // Where there is no JIT compiler for the machine, pcre2_match interprets: slower, same pieces.
    pcre2_jit_compile(compiled, PCRE2_JIT_COMPLETE);
    return compiled;
  }();
  return code;
}

}  // namespace

void Pieces::FreeMatch::operator()(pcre2_real_match_data_8* match) const { pcre2_match_data_free(match); }

Pieces::Pieces(std::string_view text) : text_(text), match_(pcre2_match_data_create(1, nullptr)) {
  if (match_ == nullptr) throw std::bad_alloc();
}

bool Pieces::next(std::string_view& piece) {
  if (text_.empty()) return false;
  size_t length = 0;
  if (valid_ == 0) length = invalid_utf8_prefix(text_);
  if (length == 0) {
    if (valid_ == 0) valid_ = valid_utf8_prefix(text_);
    const int count = pcre2_match(compiled_pattern(), reinterpret_cast<PCRE2_SPTR>(text_.data()), valid_, 0,
                                  PCRE2_NO_UTF_CHECK, match_.get(), nullptr);
    // The alternatives cover every character; only running out of memory remains.
    require(count > 0, "PCRE2 cannot cut the text into pieces: error {}", count);
    length = pcre2_get_ovector_pointer(match_.get())[1];
    valid_ -= length;
  }
  piece = text_.substr(0, length);
  text_.remove_prefix(length);
  return true;
}

}  // namespace gpt2
