#include "row_sum.h"
#include "tests/exercises/device.h"

namespace {

std::vector<float> sums_of(const std::vector<float>& x, int64_t rows, int64_t cols) {
  const OnDevice<float> in(x), out(rows);
  row_sum(kStream, out, in, rows, cols);
  return out.values();
}

Values oracle(const std::vector<float>& x, int64_t cols, double power) {
  Values sums;
  for (size_t i = 0; i < x.size(); ++i) {
    if (i % size_t(cols) == 0) sums.push_back(0);
    sums.back() += std::pow(double(x[i]), power);
  }
  return sums;
}

}  // namespace

CASE("sums") {
  for (const int64_t cols : {int64_t{1}, int64_t{7}, int64_t{127}, int64_t{129}, draw.integer(2, 1000)}) {
    const int64_t rows = draw.integer(1, 4);
    WITH("{} rows of {} values", rows, cols);
    const auto x = draw.uniform(rows * cols, -2, 2);
    const auto sums = STUDENT(sums_of(x, rows, cols));
    CHECK(!close(sums, oracle(x, cols, 1), 1e-5),
          "these are the sums of the values: the sums of their squares are asked for");
    CHECK_CLOSE(sums, oracle(x, cols, 2), 1e-5, "the sum of squares is wrong");
  }
}

CASE("all threads work") {
  const int64_t rows = 2, cols = 1024;
  const auto x = draw.uniform(rows * cols, -2, 2);
  const auto [sums, counts] = STUDENT(traced([&] { return sums_of(x, rows, cols); }));
  CHECK_CLOSE(sums, oracle(x, cols, 2), 1e-5, "the sum of squares is wrong");
  CHECK(counts.longest_thread <= 128,
        "one thread makes {} accesses to memory for a row of {} values: share the row out among all 128 "
        "threads, and let a tree "
        "add their sums",
        counts.longest_thread, cols);
}

CASE("neighbours read neighbours") {
  const int64_t rows = 2, cols = 1024;
  const auto x = draw.uniform(rows * cols, -2, 2);
  const auto [sums, counts] = STUDENT(traced([&] { return sums_of(x, rows, cols); }));
  CHECK_CLOSE(sums, oracle(x, cols, 2), 1e-5, "the sum of squares is wrong");
  CHECK(counts.load_bytes <= rows * cols * 4,
        "the kernel reads {} bytes; the rows have {}: read each value once", counts.load_bytes,
        rows * cols * 4);
  const int64_t best = rows * cols * 4 / 32;  // sectors of 32 bytes
  CHECK(counts.transactions <= best + 3 * rows,
        "the warps need {} transactions of 32 bytes, {} would do: in each step the threads of a warp should "
        "read neighbouring "
        "values, so thread t begins with value t",
        counts.transactions, best);
}
