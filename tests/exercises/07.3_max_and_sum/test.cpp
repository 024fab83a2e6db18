#include "max_and_sum.h"
#include "tests/exercises/device.h"

namespace {

constexpr float kMasked = -INFINITY;

using MaxAndSum = std::pair<std::vector<float>, std::vector<float>>;

std::pair<MaxAndSum, Counts> max_and_sum_of(const std::vector<float>& logits, int64_t rows) {
  const OnDevice<float> in(logits), largests(rows), sums(rows);
  return traced([&] {
    max_and_sum(kStream, largests, sums, in, rows, int64_t(logits.size()) / rows);
    return MaxAndSum(largests.values(), sums.values());
  });
}

// The sum begins with the smallest terms, in double precision.
std::pair<Values, Values> oracle(const std::vector<float>& logits, int64_t rows) {
  const auto V = int64_t(logits.size()) / rows;
  std::pair<Values, Values> result;
  for (int64_t row = 0; row < rows; ++row) {
    std::vector<double> sorted(logits.begin() + row * V, logits.begin() + (row + 1) * V);
    std::sort(sorted.begin(), sorted.end());
    double sum = 0;
    for (const double value : sorted) sum += value == kMasked ? 0 : std::exp(value - sorted.back());
    result.first.push_back(sorted.back());
    result.second.push_back(sum);
  }
  return result;
}

void check(const std::pair<MaxAndSum, Counts>& done, const std::vector<float>& logits, int64_t rows) {
  const auto& [largests, sums] = done.first;
  const auto expected = oracle(logits, rows);
  const int64_t bytes = int64_t(logits.size()) * 4;
  CHECK(done.second.load_bytes <= bytes, "the kernel reads {} bytes; the rows have {}: read each logit once",
        done.second.load_bytes, bytes);
  CHECK_EQUAL(largests, expected.first, "the largest logit is wrong");
  CHECK(std::none_of(sums.begin(), sums.end(), [](float sum) { return std::isnan(sum); }),
        "the sum is NaN, and no logit is: is an exponential taken of -inf - -inf, or is 0 multiplied with "
        "infinity? Think of "
        "threads that have no logits, and of logits that are masked");
  CHECK(std::none_of(sums.begin(), sums.end(), [](float sum) { return std::isinf(sum); }),
        "the sum is infinite: no exponent may be above 0, so the largest value so far is subtracted first");
  CHECK_CLOSE(
      sums, expected.second, 1e-5,
      "the sum of exp(logit - largest) is wrong; all terms must be relative to the same largest logit");
}

}  // namespace

CASE("values") {
  for (const int64_t V :
       {draw.integer(300, 900), int64_t{1}, int64_t{7}, int64_t{127}, int64_t{128}, int64_t{2049}}) {
    for (const std::string order : {"in random order", "rising"}) {
      const int64_t rows = draw.integer(1, 2);
      auto logits = draw.normal(rows * V, 0, 3);
      for (auto row = logits.begin(); order == "rising" && row < logits.end(); row += V)
        std::sort(row, row + V);
      WITH("{} rows of {} logits, {}", rows, V, order);
      check(STUDENT(max_and_sum_of(logits, rows)), logits, rows);
    }
  }
}

CASE("large values") {
  for (const double center : {1e4, -1e4, 0.0}) {
    const int64_t rows = 2, V = draw.integer(200, 400);
    auto logits = draw.normal(rows * V, center, 2);
    if (center == 0) {  // both, in random order
      for (float& value : logits) value += float(draw.pick({-1e4, 1e4}));
    }
    WITH("{} logits around {}", V, center == 0 ? "-10000 and 10000" : center > 0 ? "10000" : "-10000");
    check(STUDENT(max_and_sum_of(logits, rows)), logits, rows);
  }
}

CASE("masked values") {
  const int64_t rows = 3, V = draw.integer(300, 600);
  for (const std::string which : {"first half", "second half", "all but the last", "all"}) {
    auto logits = draw.normal(rows * V, -5, 3);
    for (int64_t row = 0; row < rows; ++row) {
      const int64_t begin = which == "second half" ? V / 2 : 0;
      const int64_t end = which == "first half" ? V / 2 : which == "all but the last" ? V - 1 : V;
      // In the last case the middle row alone: its neighbours are as usual.
      if (which == "all" && row != 1) continue;
      std::fill(logits.begin() + row * V + begin, logits.begin() + row * V + end, kMasked);
    }
    WITH("{} logits, {} masked with -inf", V, which);
    const auto done = STUDENT(max_and_sum_of(logits, rows));
    const float largest = done.first.first[1], sum = done.first.second[1];
    CHECK(which != "all" || (largest == kMasked && sum == 0),
          "a row of masked logits must have the largest logit -inf and the sum 0; got {} and {}", largest,
          sum);
    check(done, logits, rows);
  }
}

CASE("the threads share the row") {
  const int64_t rows = 2, V = 8192;
  const auto logits = draw.normal(rows * V, 0, 3);
  const auto done = STUDENT(max_and_sum_of(logits, rows));
  const int64_t shared = (done.second.shared_loads + done.second.shared_stores) / rows;
  CHECK(shared <= 2048,
        "a block makes {} accesses to shared memory for a row of {} logits: the row must not be kept there, "
        "since a longer "
        "one would not fit, and it would be read twice all the same",
        shared, V);
  CHECK(done.second.longest_thread <= 256,
        "one thread makes {} accesses to memory for a row of {} logits: share the row out among all 128 "
        "threads, and put "
        "their results together by a tree",
        done.second.longest_thread, V);
  check(done, logits, rows);
}
