// Exercise 03.3: byte-pair encoding with a table of tokens instead of a list of merges.
#include "bpe.h"

#include <compare>
#include <functional>
#include <queue>

#include "tests/exercises/todo.h"

namespace {

constexpr int32_t kNone = -1;

// The rank of these bytes; kNone if they are no token.
int32_t rank_of(std::string_view bytes, const Ranks& ranks) {
  const auto found = ranks.find(std::string(bytes));
  return found == ranks.end() ? kNone : found->second;
}

}  // namespace

std::vector<int32_t> encode(std::string_view text, const Ranks& ranks) {
  //@solution 03.3
  struct Candidate {  // two neighbours that spell the token text[begin, end)
    int32_t rank;
    size_t begin, end;
    auto operator<=>(const Candidate&) const = default;
  };
  std::priority_queue<Candidate, std::vector<Candidate>, std::greater<>> candidates;  // lowest rank on top
  // A list of the tokens: the one that begins at i is text[i, next[i]). A token that was joined to its left
  // neighbour has next = n, like the last one.
  const size_t n = text.size();
  std::vector<size_t> next(n + 1, n), previous(n + 1, 0);
  const auto consider = [&](size_t left) {
    if (next[left] == n) return;  // there is nothing to its right
    const size_t end = next[next[left]];
    const int32_t rank = rank_of(text.substr(left, end - left), ranks);
    if (rank != kNone) candidates.push({rank, left, end});
  };
  for (size_t i = 0; i < n; ++i) next[i] = i + 1, previous[i + 1] = i;
  for (size_t i = 0; i < n; ++i) consider(i);
  while (!candidates.empty()) {
    const auto [rank, left, end] = candidates.top();
    candidates.pop();
    const size_t right = next[left];
    if (right == n || next[right] != end) continue;  // one of the two has been joined to another token
    next[left] = end;
    next[right] = n;
    previous[end] = left;
    consider(left);
    if (left > 0) consider(previous[left]);
  }
  std::vector<int32_t> ids;
  for (size_t i = 0; i < n; i = next[i]) ids.push_back(rank_of(text.substr(i, next[i] - i), ranks));
  return ids;
  //@stub
  //| // TODO(03.3): join neighbours, the lowest rank first, until no two neighbours are a token.
  //| return COURSE_TODO("03.3");
  //@end
}
