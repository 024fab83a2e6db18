#include "tests/exercises/device.h"
#include "transpose.h"

namespace {

std::vector<float> transpose_of(const std::vector<float>& x, int64_t rows, int64_t cols) {
  const OnDevice<float> in(x), out(rows * cols);
  transpose(kStream, out, in, rows, cols);
  return out.values();
}

std::vector<float> oracle(const std::vector<float>& x, int64_t cols) {
  std::vector<float> y;
  for (int64_t col = 0; col < cols; ++col) {
    for (size_t i = size_t(col); i < x.size(); i += size_t(cols)) y.push_back(x[i]);
  }
  return y;
}

}  // namespace

CASE("values") {
  const std::vector<std::pair<int64_t, int64_t>> sizes{
      {1, 1}, {1, 70}, {70, 1}, {32, 32}, {33, 31}, {64, 96}, {draw.integer(2, 100), draw.integer(2, 100)}};
  for (const auto& size : sizes) {
    const int64_t rows = size.first, cols = size.second;
    WITH("{} x {}", rows, cols);
    const auto x = draw.uniform(rows * cols, -2, 2);
    const auto y = STUDENT(transpose_of(x, rows, cols));
    CHECK(rows == 1 || cols == 1 || !close(y, x, 0), "y is a copy of x: rows and columns are not exchanged");
    CHECK_EQUAL(y, oracle(x, cols), "y[col * rows + row] must be x[row * cols + col]");
  }
}

CASE("whole sectors") {
  const int64_t rows = 32 * draw.integer(1, 3), cols = 32 * draw.integer(1, 3);
  WITH("{} x {}", rows, cols);
  const auto x = draw.uniform(rows * cols, -2, 2);
  const auto [y, counts] = STUDENT(traced([&] { return transpose_of(x, rows, cols); }));
  CHECK_EQUAL(y, oracle(x, cols), "y[col * rows + row] must be x[row * cols + col]");
  const int64_t best = 2 * rows * cols * 4 / 32;  // read and written once, in sectors of 32 bytes
  CHECK(counts.transactions <= best,
        "the warps need {} transactions of 32 bytes, {} would do: the threads of a warp must read "
        "neighbouring values of "
        "x, and they must write neighbouring values of y; only in shared memory do they go along a column",
        counts.transactions, best);
}

CASE("no bank conflicts") {
  const int64_t rows = 32 * draw.integer(1, 2) + draw.integer(1, 31), cols = 64;
  WITH("{} x {}", rows, cols);
  const auto x = draw.uniform(rows * cols, -2, 2);
  const auto [y, counts] = STUDENT(traced([&] { return transpose_of(x, rows, cols); }));
  CHECK_EQUAL(y, oracle(x, cols), "y[col * rows + row] must be x[row * cols + col]");
  CHECK(counts.shared_stores >= rows * cols / 4,  // 16 bytes at a time would be fine, too
        "only {} writes to shared memory for {} values: the tile must pass through shared memory",
        counts.shared_stores, rows * cols);
  CHECK(counts.bank_conflicts == 0,
        "{} passes too many: where a warp goes along a column of the tile, several of its lanes access the "
        "same one of "
        "the 32 banks. In which bank is tile[lane][i] if a row of the tile has 32 words, and if it has 33?",
        counts.bank_conflicts);
}
