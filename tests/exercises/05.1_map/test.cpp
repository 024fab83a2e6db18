#include "softsign.h"
#include "tests/exercises/device.h"

namespace {

constexpr int64_t kThreads = 256;

std::vector<float> softsign_of(const std::vector<float>& x) {
  const OnDevice<float> in(x), out(int64_t(x.size()));
  softsign(kStream, out, in, int64_t(x.size()));
  return out.values();
}

// y in the middle of a larger allocation, with `margin` values before and behind it.
std::vector<float> in_the_middle(const std::vector<float>& x, int64_t margin) {
  const auto n = int64_t(x.size());
  const OnDevice<float> all(std::vector<float>(size_t(n + 2 * margin), 5.0f)), in(x);
  softsign(kStream, all + margin, in, n);
  return all.values();
}

Values oracle(const std::vector<float>& x) {
  Values y;
  for (const double value : x) y.push_back(value < 0 ? value / (1 - value) : value / (1 + value));
  return y;
}

int64_t written(const std::vector<float>& y) {  // what no thread writes stays NaN
  return std::count_if(y.begin(), y.end(), [](float value) { return !std::isnan(value); });
}

}  // namespace

CASE("values") {
  for (const int64_t n : {draw.integer(257, 1500), int64_t{1}, int64_t{7}, int64_t{31}, int64_t{33},
                          int64_t{256}, int64_t{50257}}) {
    WITH("n = {}", n);
    const auto x = draw.uniform(n, -4, 4);
    const auto y = STUDENT(softsign_of(x));
    CHECK(written(y) == n,
          "only {} of {} values are written, {} blocks of {}: the tail needs a block of its own, so the "
          "number of blocks is rounded up",
          written(y), n, written(y) / kThreads, kThreads);
    CHECK_CLOSE(y, oracle(x), 1e-6, "softsign is x / (1 + |x|)");
  }
}

CASE("the neighbours stay") {
  const int64_t margin = 600;
  for (const int64_t n : {int64_t{7}, int64_t{256}, draw.integer(257, 1000)}) {
    WITH("n = {}", n);
    const auto x = draw.uniform(n, -4, 4);
    const auto all = STUDENT(in_the_middle(x, margin));
    Values expected(size_t(margin), 5.0);
    for (const double value : oracle(x)) expected.push_back(value);
    expected.resize(expected.size() + size_t(margin), 5.0);
    const auto changed = [&](int64_t begin) {
      return std::count_if(all.begin() + begin, all.begin() + begin + margin, [](float v) { return v != 5; });
    };
    CHECK(changed(0) == 0, "{} values before y[0] are written", changed(0));
    CHECK(changed(margin + n) == 0,
          "{} values behind y[n - 1] are written, which belong to another tensor: a thread whose i is not "
          "below n has "
          "nothing to do",
          changed(margin + n));
    CHECK_CLOSE(all, expected, 1e-6, "softsign is x / (1 + |x|)");
  }
}

CASE("one value a thread") {
  const int64_t n = draw.integer(1000, 3000);
  WITH("n = {}", n);
  const auto x = draw.uniform(n, -4, 4);
  const auto [y, counts] = STUDENT(traced([&] { return softsign_of(x); }));
  CHECK(counts.longest_thread <= 3,
        "one thread makes {} accesses to memory: give each thread one value, and launch as many blocks as "
        "that needs",
        counts.longest_thread);
  CHECK(counts.all_stores() == n,
        "the threads write {} values in all, {} would do: each value has one thread", counts.all_stores(), n);
  CHECK_CLOSE(y, oracle(x), 1e-6, "softsign is x / (1 + |x|)");
}
