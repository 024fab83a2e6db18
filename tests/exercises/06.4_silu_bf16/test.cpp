#include "common/tensor/bf16.h"
#include "silu.h"
#include "tests/exercises/device.h"

namespace {

using gpt2::bf16;

constexpr int64_t kGuard = 8;  // values before and behind y: 16 bytes

// x and y begin x_offset and y_offset values behind a multiple of 16 bytes. The result is y with its guards, as floats.
std::vector<float> silu_of(const std::vector<bf16>& x, int64_t x_offset, int64_t y_offset) {
  const auto n = int64_t(x.size());
  const OnDevice<bf16> in(x, x_offset),
      out(std::vector<bf16>(size_t(kGuard + y_offset + n + kGuard), bf16(7.0f)));
  silu(kStream, out + kGuard + y_offset, in, n);
  const auto all = out.values();
  return {all.begin(), all.end()};
}

double sigmoid(double x) {
  return std::exp(x) / (1 + std::exp(x));
}  // 1 + tanh(x / 2) would cancel for x < 0
double silu_of(double x) { return x * sigmoid(x); }
double nearest(double value) { return float(bf16(float(value))); }

std::vector<bf16> rounded(const std::vector<float>& values) { return {values.begin(), values.end()}; }

// y within its guards.
std::vector<float> inside(const std::vector<float>& all, int64_t n, int64_t offset) {
  const auto begin = all.begin() + kGuard + offset;
  return {begin, begin + n};
}

void check_values(const std::vector<float>& all, const std::vector<bf16>& x, int64_t y_offset) {
  const auto n = int64_t(x.size());
  const auto y = inside(all, n, y_offset);
  Values expected;
  for (const bf16 value : x) expected.push_back(silu_of(double(float(value))));
  const auto sevens = std::count(all.begin(), all.begin() + kGuard + y_offset, 7.0f) +
                      std::count(all.end() - kGuard, all.end(), 7.0f);
  CHECK(y.back() != 7,
        "y[n - 1] is not written: if the first piece begins before x[0], the last one may need a block more");
  CHECK(sevens == 2 * kGuard + y_offset,
        "values before y[0] or behind y[n - 1] are written, which belong to other tensors");
  CHECK_CLOSE(y, expected, 0.005, "SiLU is x / (1 + exp(-x))");
}

}  // namespace

CASE("values") {
  for (const int64_t n :
       {int64_t{1}, int64_t{7}, int64_t{8}, int64_t{9}, int64_t{2049}, draw.integer(10, 500)}) {
    for (int64_t repeat = 0; repeat < 3; ++repeat) {
      const int64_t x_offset = repeat == 0 ? 0 : draw.integer(0, 7),
                    y_offset = repeat == 0 ? 0 : draw.integer(0, 7);
      WITH("n = {}, x begins {} bytes and y {} bytes behind a multiple of 16", n, 2 * x_offset, 2 * y_offset);
      const auto x = rounded(draw.uniform(n, -6, 6));
      const auto all = STUDENT(silu_of(x, x_offset, y_offset));
      check_values(all, x, y_offset);
    }
  }
}

CASE("one rounding") {
  std::vector<bf16> x;
  for (int64_t bits = 0; bits < 65536; ++bits) {
    bf16 value;
    value.bits = uint16_t(bits);
    if (std::abs(float(value)) <= 80) x.push_back(value);  // false for NaN
  }
  const auto all = STUDENT(silu_of(x, 0, 0));
  const auto y = inside(all, int64_t(x.size()), 0);
  Values twice;
  for (const bf16 value : x)
    twice.push_back(nearest(double(float(value)) * nearest(sigmoid(double(float(value))))));
  int64_t as_twice = 0, wrong = 0, first_wrong = -1;
  for (size_t i = 0; i < x.size(); ++i) {
    const double exact = silu_of(double(float(x[i])));
    // Where the exact value is halfway between two bf16, to the float's precision, either one will do.
    const bool right =
        double(y[i]) == nearest(exact * (1 - 1e-6)) || double(y[i]) == nearest(exact * (1 + 1e-6));
    if (right) continue;
    as_twice += double(y[i]) == twice[i];
    if (wrong++ == 0) first_wrong = int64_t(i);
  }
  CHECK(wrong == 0 || as_twice * 10 < wrong * 9,
        "{} of {} values are not the nearest bf16: they come out as if the sigmoid were rounded to bf16 "
        "before it is "
        "multiplied with x; keep everything in float until the store",
        wrong, x.size());
  const auto at = size_t(std::max(first_wrong, int64_t{0}));
  CHECK(wrong == 0, "{} of {} values are not the bf16 nearest to SiLU, such as SiLU({}): got {}, expected {}",
        wrong, x.size(), float(x[at]), y[at], nearest(silu_of(double(float(x[at])))));
}

namespace {

void check_widths(const Counts& counts, int64_t n, int64_t whole) {
  CHECK(counts.loads[4] >= whole,
        "{} loads of 16 bytes and {} narrower ones for {} bf16: {} pieces of 8 values lie at multiples of 16 "
        "bytes, and "
        "each can be read in one instruction",
        counts.loads[4], counts.all_loads() - counts.loads[4], n, whole);
  CHECK(counts.stores[4] >= whole,
        "{} stores of 16 bytes and {} narrower ones for {} bf16: {} whole pieces can be written",
        counts.stores[4], counts.all_stores() - counts.stores[4], n, whole);
  CHECK(counts.load_bytes == 2 * n, "the kernel reads {} bytes; x has {}: read each value once",
        counts.load_bytes, 2 * n);
  CHECK(counts.store_bytes == 2 * n, "the kernel writes {} bytes; y has {}", counts.store_bytes, 2 * n);
}

}  // namespace

CASE("16 bytes a thread") {
  const int64_t n = 2 * draw.integer(1000, 4000) + 1;
  WITH("n = {}", n);
  const auto x = rounded(draw.uniform(n, -6, 6));
  const auto [all, counts] = STUDENT(traced([&] { return silu_of(x, 0, 0); }));
  check_values(all, x, 0);
  check_widths(counts, n, n / 8);
}

CASE("a view that is not aligned") {
  for (const int64_t offset : {int64_t{1}, draw.integer(2, 6), int64_t{7}}) {
    const int64_t n =
        2048 - draw.integer(0, offset - 1);  // from x[0] one block would do, from the aligned address not
    WITH("n = {}, x and y begin {} bytes behind a multiple of 16", n, 2 * offset);
    const auto x = rounded(draw.uniform(n, -6, 6));
    const auto [all, counts] = STUDENT(traced([&] { return silu_of(x, offset, offset); }));
    check_values(all, x, offset);
    check_widths(counts, n, (n - (8 - offset)) / 8);
  }
}
