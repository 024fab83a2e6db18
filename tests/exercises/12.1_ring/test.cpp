#include "all_reduce.h"

#include "tests/exercises/exercise.h"

namespace {

using exercise::doubles;
using exercise::Draw;
using Floats = std::vector<float>;
using Values = std::vector<double>;
using Result = std::pair<std::vector<Floats>, std::vector<int64_t>>;  // x, and the floats sent, of each rank

Result reduced(const std::vector<Floats>& x) {
  const Reduced result = run_ranks(x, all_reduce);
  return {result.x, result.floats_sent};
}

std::vector<Floats> random_ranks(Draw& draw, int64_t ranks, int64_t n) {
  std::vector<Floats> x;
  for (int64_t rank = 0; rank < ranks; ++rank) x.push_back(draw.uniform(n, 1, 2));
  return x;
}

Values sum_of(const std::vector<Floats>& x) {
  Values sum(x[0].size());
  for (const Floats& of_rank : x) {
    for (size_t i = 0; i < sum.size(); ++i) sum[i] += double(of_rank[i]);
  }
  return sum;
}

// How many values are the sum, and how many are larger.
std::pair<int64_t, int64_t> right_and_larger(const Floats& x, const Values& sum) {
  std::pair<int64_t, int64_t> counts;
  for (size_t i = 0; i < sum.size(); ++i) {
    const double difference = double(x[i]) - sum[i];
    counts.first += std::abs(difference) < 1e-4;
    counts.second += difference > 0.5;
  }
  return counts;
}

void check_rank(const Floats& x, const Floats& before, const Values& sum, size_t rank) {
  const auto n = int64_t(sum.size());
  CHECK(x.size() == sum.size(), "rank {} has {} values, expected {}", rank, x.size(), n);
  const auto [right, larger] = right_and_larger(x, sum);
  CHECK(right == n || right == 0 || right + larger < n,
        "on rank {} {} of {} values are right, the others are too large: a complete part is added to again. "
        "The second round copies",
        rank, right, n);
  int64_t untouched = 0;
  while (untouched < n && x[size_t(n - 1 - untouched)] == before[size_t(n - 1 - untouched)]) ++untouched;
  CHECK(untouched == 0 || right + untouched < n,
        "on rank {} the last values are not summed, {} of {}: the parts must cover x, so some are longer by "
        "one",
        rank, untouched, n);
  CHECK_CLOSE(x, sum, 1e-6, "rank {} does not have the sums", rank);
}

void check_sums(const Result& result, const std::vector<Floats>& before) {
  const Values sum = sum_of(before);
  CHECK(result.first.size() == before.size(), "there are {} results", result.first.size());
  for (size_t rank = 0; rank < before.size(); ++rank) {
    if (before.size() > 1) check_rank(result.first[rank], before[rank], sum, rank);
  }
  CHECK_CLOSE(result.first[0], sum, 1e-6, "rank 0 does not have the sums");
}

}  // namespace

CASE("two ranks") {
  for (const int64_t n : {int64_t{2}, 2 * draw.integer(5, 50)}) {
    WITH("N = 2, n = {}", n);
    const auto x = random_ranks(draw, 2, n);
    const auto result = STUDENT(reduced(x));
    check_sums(result, x);
  }
}

CASE("sums") {
  for (const int64_t ranks : {3, 4, 5}) {
    const int64_t n = ranks * draw.integer(1, 40);
    WITH("N = {}, n = {}", ranks, n);
    const auto x = random_ranks(draw, ranks, n);
    const auto result = STUDENT(reduced(x));
    check_sums(result, x);
  }
}

CASE("any size") {
  for (const int64_t ranks : {1, 3, 4, 6}) {
    for (const int64_t n :
         {ranks * draw.integer(2, 9) + draw.integer(1, std::max<int64_t>(ranks - 1, 1)), ranks - 1}) {
      if (n == 0) continue;
      WITH("N = {}, n = {}", ranks, n);
      const auto x = random_ranks(draw, ranks, n);
      const auto result = STUDENT(reduced(x));
      check_sums(result, x);
    }
  }
}

CASE("bytes") {
  for (const int64_t ranks : {4, 3, 6}) {
    const int64_t n = draw.integer(100, 300);
    WITH("N = {}, n = {}", ranks, n);
    const auto x = random_ranks(draw, ranks, n);
    const auto result = STUDENT(reduced(x));
    check_sums(result, x);
    const int64_t most = *std::max_element(result.second.begin(), result.second.end());
    const int64_t least = *std::min_element(result.second.begin(), result.second.end());
    CHECK(most != (ranks - 1) * n || ranks == 3,
          "a rank sends {} bytes, its whole vector to everyone: what arrives needs only be a part, already "
          "summed",
          4 * most);
    CHECK(most != 2 * n || ranks == 3,
          "a rank sends {} bytes, two whole vectors, while others wait: cut x into {} parts, and let all "
          "ranks send at once",
          4 * most, ranks);
    const int64_t longest_part = (n + ranks - 1) / ranks, shortest_part = n / ranks;
    CHECK(most <= 2 * (ranks - 1) * longest_part,
          "a rank sends {} bytes; 2 (N - 1) parts, or {} bytes, must do", 4 * most,
          8 * (ranks - 1) * longest_part);
    CHECK(least >= 2 * (ranks - 1) * shortest_part,
          "a rank sends only {} bytes: not even once around the ring and back. Where do the sums come from?",
          4 * least);
  }
}

CASE("same bits") {
  const int64_t ranks = draw.integer(4, 6), n = draw.integer(50, 150);
  WITH("N = {}, n = {}, values from 1e-6 to 10", ranks, n);
  std::vector<Floats> x;
  for (int64_t rank = 0; rank < ranks; ++rank) {
    x.push_back(draw.uniform(n, -6, 1));
    for (float& value : x.back()) value = float(std::pow(10, double(value)));
  }
  const auto result = STUDENT(reduced(x));
  CHECK_CLOSE(result.first[0], sum_of(x), 1e-5, "rank 0 does not have the sums");
  for (size_t rank = 1; rank < x.size(); ++rank) {
    size_t differing = 0;
    for (size_t i = 0; i < x[0].size(); ++i) differing += result.first[rank][i] != result.first[0][i];
    CHECK(differing == 0,
          "{} of {} values of rank {} differ from rank 0's: (a + b) + c is not a + (b + c), so each part "
          "must be summed in one place and copied",
          differing, n, rank);
  }
}
