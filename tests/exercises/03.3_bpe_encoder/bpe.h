#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

// The rank of each sequence of bytes that is a token; the rank is also the token's id. All 256 single bytes are
// tokens.
using Ranks = std::unordered_map<std::string, int32_t>;

// Begins with one token per byte. While two neighbours together spell a token, the two whose token has the lowest
// rank become that token (the leftmost two, if there are several). Returns the ids of the tokens that are left.
std::vector<int32_t> encode(std::string_view text, const Ranks& ranks);
