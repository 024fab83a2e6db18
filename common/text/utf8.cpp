#include "common/text/utf8.h"

#include <fmt/format.h>

#include <utility>

namespace gpt2 {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

// The code point of a control character (Unicode's category Cc: U+0000..U+001F, U+007F..U+009F), or -1.
int control_code(std::string_view character) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(character[i]); };
  if (character.size() == 1 && (byte(0) < 0x20 || byte(0) == 0x7F)) return byte(0);
  if (character.size() == 2 && byte(0) == 0xC2 && byte(1) < 0xA0) return byte(1);
  return -1;
}

std::string escape_controls(std::string_view text, std::string_view allowed) {
  std::string result;
  for (size_t at = 0; at < text.size();) {
    const Utf8Unit unit = first_utf8_unit(text.substr(at));
    const std::string_view character = text.substr(at, unit.length);
    const int control = control_code(character);
    if (unit.kind != Utf8Unit::Kind::valid) {
      for (const char byte : character) result += fmt::format("\\x{:02x}", static_cast<unsigned char>(byte));
    } else if (control < 0 || allowed.find(character) != allowed.npos) {
      result += character;
    } else {
      result += fmt::format("\\u{:04x}", control);
    }
    at += unit.length;
  }
  return result;
}

}  // namespace

Utf8Unit first_utf8_unit(std::string_view text) {
  using Kind = Utf8Unit::Kind;
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned lead = byte(0);
  if (lead < 0x80) return {Kind::valid, 1};
  if (lead < 0xC2 || lead > 0xF4) return {Kind::invalid, 1};
  const size_t length = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  // Overlong forms, surrogates and code points above U+10FFFF are recognised by the second byte.
  unsigned low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
  unsigned high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
  for (size_t i = 1; i < length; ++i, low = 0x80, high = 0xBF) {
    if (i == text.size()) return {Kind::truncated, i};
    if (byte(i) < low || byte(i) > high) return {Kind::invalid, i};
  }
  return {Kind::valid, length};
}

size_t valid_utf8_prefix(std::string_view text) {
  size_t end = 0;
  while (end < text.size()) {
    const Utf8Unit unit = first_utf8_unit(text.substr(end));
    if (unit.kind != Utf8Unit::Kind::valid) break;
    end += unit.length;
  }
  return end;
}

size_t invalid_utf8_prefix(std::string_view text) {
  size_t end = 0;
  while (end < text.size()) {
    const Utf8Unit unit = first_utf8_unit(text.substr(end));
    if (unit.kind == Utf8Unit::Kind::valid) break;
    end += unit.length;
  }
  return end;
}

std::string Utf8Stream::push(std::string_view bytes) {
  const std::string text = std::exchange(waiting_, {}).append(bytes);
  std::string printable;
  for (size_t at = 0; at < text.size();) {
    const std::string_view rest = std::string_view(text).substr(at);
    const Utf8Unit unit = first_utf8_unit(rest);
    if (unit.kind == Utf8Unit::Kind::truncated) {
      waiting_ = rest;
      break;
    }
    printable += unit.kind == Utf8Unit::Kind::valid ? rest.substr(0, unit.length) : kReplacement;
    at += unit.length;
  }
  return printable;
}

std::string Utf8Stream::finish() {
  return std::exchange(waiting_, {}).empty() ? std::string() : std::string(kReplacement);
}

std::string printable(std::string_view text) { return escape_controls(text, "\n\t"); }

std::string printable_line(std::string_view text) { return escape_controls(text, ""); }
std::string to_utf8(std::string_view bytes) {
  Utf8Stream stream;
  std::string text = stream.push(bytes);
  return text + stream.finish();
}

}  // namespace gpt2
