#include "common/base/number.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <string_view>

#include "common/base/error.h"

namespace gpt2 {
namespace {

// The number (-1)^negative * digits * 10^exponent, with digits as an integer without zeros at either end.
struct Decimal {
  bool negative = false;
  std::string digits;
  int64_t exponent = 0;
};

constexpr int64_t kHugeExponent = 1'000'000;  // beyond the range of every type; keeps sums of exponents small

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Moves the digits at the front of `text` to `digits`. An underscore may stand between two of them.
bool take_digits(std::string_view& text, std::string& digits) {
  const size_t before = digits.size();
  while (!text.empty()) {
    const bool is_separator =
        text[0] == '_' && digits.size() > before && text.size() > 1 && is_digit(text[1]);
    if (!is_digit(text[0]) && !is_separator) break;
    if (!is_separator) digits += text[0];
    text.remove_prefix(1);
  }
  return digits.size() > before;
}

bool take(std::string_view& text, std::string_view characters) {
  if (text.empty() || characters.find(text[0]) == std::string_view::npos) return false;
  text.remove_prefix(1);
  return true;
}

bool take_sign(std::string_view& text) {
  const bool negative = text.starts_with('-');
  take(text, "+-");
  return negative;
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kSpaces = " \t\r\n";
  const size_t first = std::min(text.find_first_not_of(kSpaces), text.size());
  text.remove_prefix(first);
  return text.substr(0, text.find_last_not_of(kSpaces) + 1);
}

// Parses [+-] digits [. digits] [e [+-] digits]; returns nothing if `text` has another form.
std::optional<Decimal> read_decimal(std::string_view text) {
  text = trimmed(text);
  Decimal number;
  number.negative = take_sign(text);
  bool any = take_digits(text, number.digits);
  const size_t whole_digits = number.digits.size();
  if (take(text, ".")) any = take_digits(text, number.digits) || any;
  if (!any) return std::nullopt;
  number.exponent = -int64_t(number.digits.size() - whole_digits);
  if (take(text, "eE")) {
    const bool negative = take_sign(text);
    std::string digits;
    if (!take_digits(text, digits)) return std::nullopt;
    digits.erase(0, std::min(digits.find_first_not_of('0'), digits.size()));
    const int64_t power = digits.size() > 6 ? kHugeExponent : std::atoll(digits.c_str());
    number.exponent += negative ? -power : power;
  }
  if (!text.empty()) return std::nullopt;
  number.digits.erase(0, std::min(number.digits.find_first_not_of('0'), number.digits.size()));
  while (number.digits.ends_with('0')) number.digits.pop_back(), ++number.exponent;
  return number;
}

// Throws an error that says why `text` is not a number.
[[noreturn]] void fail_to_read(const std::string& text) {
  const std::string number(trimmed(text));
  require(!number.empty(), "the value is empty; give a number");
  const size_t sign = number.find_first_not_of("+-");
  const std::string_view unsigned_text = std::string_view(number).substr(std::min(sign, number.size()));
  require(number.find(',') == std::string::npos,
          "{} has a comma; write 1000 or 1_000 for a thousand, 0.5 for a half", text);
  require(!unsigned_text.starts_with("0x") && !unsigned_text.starts_with("0X"),
          "{} is hexadecimal; write the number in decimal digits", text);
  require(!number.ends_with('%'), "{} is a percentage; write the fraction, such as 0.5 for 50%", text);
  const bool has_unit = number.size() > 1 && read_decimal(number.substr(0, number.size() - 1)).has_value() &&
                        std::string_view("kKmMgGtTbB").find(number.back()) != std::string_view::npos;
  require(!has_unit, "{} has a unit; write the whole number, such as 5000 or 5e3 for five thousand", text);
  fail("{} is not a number; write it like 1000, 1_000, 1e3 or 0.5", text);
}

Decimal decimal(const std::string& text) {
  std::optional<Decimal> number = read_decimal(text);
  if (!number) fail_to_read(text);
  return *number;
}

// digits * 10^exponent, or nothing if it is too large.
std::optional<uint64_t> magnitude(const Decimal& number) {
  if (number.digits.empty()) return 0;
  if (int64_t(number.digits.size()) + number.exponent > 20) return std::nullopt;  // 2^64 has 20 digits
  const std::string all = number.digits + std::string(size_t(number.exponent), '0');
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(all.data(), all.data() + all.size(), value);
  return error == std::errc() ? std::optional(value) : std::nullopt;
}

template <class Integer>
Integer parse_integer(const std::string& text, Integer low, Integer high) {
  const Decimal number = decimal(text);
  require(number.digits.empty() || number.exponent >= 0, "{} is not a whole number", text);
  const std::optional<uint64_t> value = magnitude(number);
  bool in_range = value.has_value();
  if (in_range && number.negative && *value > 0) {
    const bool fits = low < 0 && *value - 1 <= uint64_t(-(int64_t(low) + 1));  // -(-2^63) would overflow
    in_range = fits && Integer(-int64_t(*value - 1) - 1) <= high;
  } else if (in_range) {
    in_range = high >= 0 && *value <= uint64_t(high) && (low <= 0 || *value >= uint64_t(low));
  }
  require(in_range, "{} is not in range {} to {}", text, low, high);
  return number.negative && *value > 0 ? Integer(-int64_t(*value - 1) - 1) : Integer(*value);
}

}  // namespace

int64_t parse_number(const std::string& text, int64_t low, int64_t high) {
  return parse_integer(text, low, high);
}

uint64_t parse_number(const std::string& text, uint64_t low, uint64_t high) {
  return parse_integer(text, low, high);
}

double parse_number(const std::string& text, double low, double high) {
  const Decimal number = decimal(text);
  const std::string plain = fmt::format("{}{}e{}", number.negative ? "-" : "",
                                        number.digits.empty() ? "0" : number.digits, number.exponent);
  const double value = std::strtod(plain.c_str(), nullptr);
  require(value != 0 || number.digits.empty(), "{} is too small to be told from 0", text);
  require(low <= value && value <= high, "{} is not in range {} to {}", text, low, high);
  return value;
}

std::optional<int64_t> product(std::span<const int64_t> factors) {
  int64_t total = 1;
  for (const int64_t factor : factors)
    if (__builtin_mul_overflow(total, factor, &total)) return std::nullopt;
  return total;
}

}  // namespace gpt2
