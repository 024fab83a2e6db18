// Numbers as people write them: 1000, 1_000, 1e3, 010 (ten), 0.5, .5, 6e-4, +2.
//
// Ambiguous texts are refused, and the message says why: 1,000 (a thousand, or one), 5k (1000 or 1024), 0x10.
//
// since 01_module
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

namespace gpt2 {

// Returns the exact value of `text` (for double: the nearest double). Throws Error if it is not a number, not
// an integer (integer types only), or outside [low, high]; the message starts with the text: "0 is not in
// range 1 to 10".
int64_t parse_number(const std::string& text, int64_t low, int64_t high);
uint64_t parse_number(const std::string& text, uint64_t low, uint64_t high);
double parse_number(const std::string& text, double low, double high);

// Returns the product of all factors; nullopt if it overflows.
std::optional<int64_t> product(std::span<const int64_t> factors);

}  // namespace gpt2
