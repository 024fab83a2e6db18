#include "bpe.h"

#include <functional>
#include <optional>

#include "tests/exercises/exercise.h"

namespace {

using exercise::Draw;
using Ids = std::vector<int32_t>;
using Parts = std::vector<std::string>;

Parts bytes_of(const std::string& text) {
  Parts parts;
  for (const char c : text) parts.emplace_back(1, c);
  return parts;
}

Ids ids_of(const Parts& parts, const Ranks& ranks) {
  Ids ids;
  for (const std::string& part : parts) ids.push_back(ranks.at(part));
  return ids;
}

// The 256 bytes, in the order that `draw` gives them, and these tokens, ranked as they are listed.
Ranks table(Draw& draw, const Parts& tokens) {
  Ranks ranks;
  const auto order = draw.permutation(256);
  for (int byte = 0; byte < 256; ++byte) ranks[std::string(1, char(byte))] = int32_t(order[size_t(byte)]);
  for (const std::string& token : tokens) ranks.emplace(token, int32_t(ranks.size()));
  return ranks;
}

// `count` tokens of at most 8 bytes. Each is made of two that come before it, or of bytes of the alphabet.
Parts random_tokens(Draw& draw, const std::string& alphabet, size_t count) {
  Parts all = bytes_of(alphabet);
  const auto any = [&] { return all[size_t(draw.integer(0, int64_t(all.size()) - 1))]; };
  std::unordered_map<std::string, int> seen;
  while (all.size() < alphabet.size() + count) {
    const std::string left = any(), token = left + any();
    if (token.size() <= 8 && ++seen[token] == 1) all.push_back(token);
  }
  all.erase(all.begin(), all.begin() + long(alphabet.size()));
  return all;
}

// Tokens and bytes of the alphabet side by side, and now and then any other byte.
std::string random_text(Draw& draw, const Parts& tokens, const std::string& alphabet, size_t size,
                        bool other_bytes = true) {
  std::string text;
  while (text.size() < size) {
    const int64_t kind = draw.integer(0, 9), token = draw.integer(0, int64_t(tokens.size()) - 1),
                  letter = draw.integer(0, int64_t(alphabet.size()) - 1), byte = draw.integer(0, 255);
    if (kind < 4)
      text += tokens[size_t(token)];
    else
      text += kind == 9 && other_bytes ? char(byte) : alphabet[size_t(letter)];
  }
  return text.substr(0, size);
}

using Choose = std::function<std::optional<size_t>(const Parts&)>;

// Joins the parts i and i + 1 that `choose` names, until it names none.
Parts joined(const std::string& text, const Choose& choose) {
  Parts parts = bytes_of(text);
  while (const auto i = choose(parts)) {
    parts[*i] += parts[*i + 1];
    parts.erase(parts.begin() + long(*i) + 1);
  }
  return parts;
}

// The pair to join next. It begins with the first pair (or the last) and prefers a lower rank (or does not).
std::optional<size_t> best_pair(const Parts& parts, const Ranks& ranks, bool by_rank, bool leftmost) {
  std::optional<size_t> best;
  int32_t best_rank = 0;
  for (size_t k = 1; k < parts.size(); ++k) {
    const size_t i = leftmost ? k - 1 : parts.size() - 1 - k;
    const auto found = ranks.find(parts[i] + parts[i + 1]);
    if (found == ranks.end() || (best && (!by_rank || found->second >= best_rank))) continue;
    best = i;
    best_rank = found->second;
  }
  return best;
}

Parts oracle(const std::string& text, const Ranks& ranks, bool by_rank = true, bool leftmost = true) {
  return joined(text, [&](const Parts& parts) { return best_pair(parts, ranks, by_rank, leftmost); });
}

Parts longest_match(const std::string& text, const Ranks& ranks) {
  Parts parts;
  for (size_t i = 0; i < text.size(); i += parts.back().size()) {
    size_t size = 8;
    while (!ranks.contains(text.substr(i, size))) --size;
    parts.push_back(text.substr(i, size));
  }
  return parts;
}

// Once through the tokens in the order of their ranks: all places of the first one, then of the second.
Parts one_pass(const std::string& text, const Ranks& ranks) {
  std::vector<std::pair<int32_t, std::string>> order;
  for (const auto& [token, rank] : ranks) order.emplace_back(rank, token);
  std::sort(order.begin(), order.end());
  Parts parts = bytes_of(text);
  for (const auto& entry : order) {
    for (size_t i = 0; i + 1 < parts.size(); ++i) {
      if (parts[i] + parts[i + 1] != entry.second) continue;
      parts[i] = entry.second;
      parts.erase(parts.begin() + long(i) + 1);
    }
  }
  return parts;
}

// The tokens with bars between them; bytes that cannot be printed as \x00.
std::string shown(const Parts& parts) {
  std::string text;
  for (const std::string& part : parts) {
    text += text.empty() ? "" : "|";
    for (const char c : part)
      text += c > ' ' && c < 127 ? std::string(1, c) : fmt::format("\\x{:02x}", uint8_t(c));
  }
  return text;
}

// The tokens of ids; "(no token)" stands for an id that has none.
Parts parts_of(const Ids& ids, const Ranks& ranks) {
  std::unordered_map<int32_t, std::string> tokens;
  for (const auto& [token, rank] : ranks) tokens[rank] = token;
  Parts parts;
  for (const int32_t id : ids) parts.push_back(tokens.contains(id) ? tokens.at(id) : "(no token)");
  return parts;
}

// What is wrong with the ids; "" if they are right.
std::string complaint(const Ids& ids, const std::string& text, const Ranks& ranks) {
  const Parts right = oracle(text, ranks), parts = parts_of(ids, ranks);
  if (parts == right) return "";
  std::string why = "not the joins that the ranks ask for";
  if (fmt::format("{}", fmt::join(parts, "")) != text)
    why = "the tokens together do not spell the text";
  else if (parts == oracle(text, ranks, false))
    why = "you join the leftmost pair that is a token, whatever its rank; the lowest rank is joined first";
  else if (parts == longest_match(text, ranks))
    why = "you take the longest token that fits, from left to right; the lowest rank is joined first";
  else if (parts == oracle(text, ranks, true, false))
    why = "of several pairs with the same rank the leftmost one is joined first";
  else if (parts == one_pass(text, ranks))
    why =
        "you go through the ranks once; a join can make a pair whose rank is lower than those joined before";
  return fmt::format("{}: {} becomes {}, expected {}", why, shown({text}), shown(parts), shown(right));
}

void check(const Ids& ids, const std::string& text, const Ranks& ranks) {
  CHECK(complaint(ids, text, ranks).empty(), "{}", complaint(ids, text, ranks));
}

std::string letters(const std::vector<int64_t>& order, const std::string& pattern) {
  std::string text;
  for (const char c : pattern) text += char('a' + order[size_t(c - 'a')]);
  return text;
}

const std::string kAlphabet("etaoin \xC3\xA9\xFF\0", 11);

// The ids of `n` times the letter, where 2, 4 and 8 of it are tokens: a binary number.
Ids ids_of_run(int64_t n, char letter, const Ranks& ranks) {
  Ids ids;
  for (int64_t size = 8; size > 0; n %= size, size /= 2)
    ids.insert(ids.end(), size_t(n / size), ranks.at(std::string(size_t(size), letter)));
  return ids;
}

}  // namespace

CASE("few tokens") {
  const std::vector<std::pair<Parts, std::string>> tables{
      {{"bc", "abcd"}, "abcd"},              // the longest token is out of reach
      {{"bc", "ab"}, "abc"},                 // the second pair comes before the first one
      {{"aa"}, "aaa"},                       // of two equal pairs the leftmost
      {{"ab", "cd", "abcd", "bc"}, "abcd"},  // tokens of tokens
      {{"ab", "abc", "bc"}, "abcabbc"},
      {{"ab"}, ""},
      {{"ab"}, "b"},
  };
  for (const auto& each : tables) {
    const auto order = draw.permutation(26);
    Parts tokens;
    for (const std::string& token : each.first) tokens.push_back(letters(order, token));
    const std::string text = letters(order, each.second);
    const Ranks ranks = table(draw, tokens);
    WITH("tokens {}", shown(tokens));
    const auto ids = STUDENT(encode(text, ranks));
    check(ids, text, ranks);
  }
}

CASE("two hundred texts") {
  const Parts tokens = random_tokens(draw, kAlphabet, 500);
  const Ranks ranks = table(draw, tokens);
  for (int i = 0; i < 200; ++i) {
    const std::string text = random_text(draw, tokens, kAlphabet, size_t(draw.integer(1, 60)));
    WITH("text {}", i);
    const auto ids = STUDENT(encode(text, ranks));
    check(ids, text, ranks);
  }
}

CASE("ranks in any order") {
  const Parts tokens = random_tokens(draw, kAlphabet, 500);
  Parts shuffled;
  for (const int64_t i : draw.permutation(500)) shuffled.push_back(tokens[size_t(i)]);
  const Ranks ranks = table(draw, shuffled);
  for (int i = 0; i < 100; ++i) {
    const std::string text = random_text(draw, tokens, kAlphabet, size_t(draw.integer(1, 60)));
    WITH("text {}", i);
    const auto ids = STUDENT(encode(text, ranks));
    check(ids, text, ranks);
  }
}

CASE("one megabyte") {
  const std::string alphabet = kAlphabet + "rshdlu";
  const Parts tokens = random_tokens(draw, alphabet, 5000);
  const Ranks ranks = table(draw, tokens);
  Parts lines;  // no token has a newline, so each line is encoded as if it were alone
  for (int i = 0; i < 100; ++i)
    lines.push_back(random_text(draw, tokens, alphabet, size_t(draw.integer(20, 60)), false) + "\n");
  std::string text;
  std::vector<size_t> order;
  while (text.size() < 1 << 20) {
    order.push_back(size_t(draw.integer(0, 99)));
    text += lines[order.back()];
  }
  WITH("lines, 1 MB");
  const auto ids = STUDENT(encode(text, ranks));
  const auto expected = [&] {
    std::vector<Ids> of_line;
    for (const std::string& line : lines) of_line.push_back(ids_of(oracle(line, ranks), ranks));
    Ids all;
    for (const size_t line : order) all.insert(all.end(), of_line[line].begin(), of_line[line].end());
    return all;
  };
  CHECK(ids == expected(), "the ids of the lines are wrong, though those of short texts may be right");

  const int64_t n = (1 << 18) + draw.integer(0, 7);
  WITH("{} times the letter x", n);
  const Ranks powers = table(draw, {"xx", "xxxx", "xxxxxxxx"});
  const auto run = STUDENT(encode(std::string(size_t(n), 'x'), powers));
  CHECK(run == ids_of_run(n, 'x', powers),
        "the ids are wrong: first pairs, then fours, then eights, from the left");
}
