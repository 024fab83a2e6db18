#include "again.h"
#include "tests/exercises/device.h"

namespace {

using Floats = std::vector<float>;

constexpr int64_t kGuard = 8;  // values behind y

struct Inputs {
  Floats x, r, weight;
  int64_t rows, C;
};

Inputs random_inputs(Draw& draw, int64_t rows, int64_t C) {
  Inputs in{{}, draw.uniform(rows, 0.2, 3), draw.uniform(C, -0.5, 0.5), rows, C};
  for (int64_t i = 0; i < rows * C; ++i)
    in.x.push_back(float(draw.pick({-1, 1}) * std::pow(10, draw.number(-4, 2))));
  return in;
}

// y, and behind it the guards.
Floats student_again(const Inputs& in) {
  const OnDevice<float> x(in.x), r(in.r), weight(in.weight), y(Floats(in.x.size() + size_t(kGuard), 77.0f));
  rms_norm_again(kStream, y, x, r, weight, in.rows, in.C);
  return y.values();
}

enum class Variant { right, other_order, without_one, own_r };

Floats oracle(const Inputs& in, Variant variant = Variant::right) {
  Floats y;
  for (size_t i = 0; i < in.x.size(); ++i) {
    const size_t row = i / size_t(in.C);
    const float x = in.x[i], w = in.weight[i % size_t(in.C)];
    volatile float factor = in.r[row], gain = 1 + w;
    if (variant == Variant::without_one) gain = w;
    if (variant == Variant::own_r) {
      double squares = 0;
      for (int64_t c = 0; c < in.C; ++c) squares += std::pow(double(in.x[row * size_t(in.C) + size_t(c)]), 2);
      factor = float(1 / std::sqrt(squares / double(in.C) + 1e-5));
    }
    volatile float first = variant == Variant::other_order ? factor * gain : x * factor;
    y.push_back(variant == Variant::other_order ? x * first : first * gain);
  }
  return y;
}

Floats without_guards(const Floats& all) { return {all.begin(), all.end() - kGuard}; }

void check_values(const Floats& all, const Inputs& in) {
  const Floats y = without_guards(all), expected = oracle(in);
  CHECK(std::count(all.end() - kGuard, all.end(), 77.0f) == kGuard,
        "values behind the last row are written: a row ends at C, also if C is no multiple of 4");
  CHECK(!close(y, oracle(in, Variant::without_one), 1e-6),
        "the weight is a distance from 1: the factor is 1 + w");
  CHECK(in.rows * in.C < 20 || y == expected || y != oracle(in, Variant::other_order),
        "nearly right: these are the bits of x * (r * (1 + w)), but the forward pass computes (x * r) * (1 + "
        "w), and "
        "the gradients with and without recomputation must not differ");
  CHECK_CLOSE(y, expected, 1e-6, "y is not (x * r) * (1 + w)");
  CHECK_EQUAL(y, expected, "nearly right, but not the bits of (x * r) * (1 + w)");
}

}  // namespace

CASE("the same bits") {
  for (const int64_t C : {int64_t{64}, 4 * draw.integer(20, 100)}) {
    const Inputs in = random_inputs(draw, draw.integer(2, 5), C);
    WITH("{} rows of {} values", in.rows, C);
    check_values(STUDENT(student_again(in)), in);
  }
}

CASE("rows of any length") {
  for (const int64_t C :
       {int64_t{1}, int64_t{3}, int64_t{7}, int64_t{255}, int64_t{257}, draw.integer(258, 700)}) {
    const Inputs in = random_inputs(draw, draw.integer(1, 4), C);
    WITH("{} rows of {} values", in.rows, C);
    check_values(STUDENT(student_again(in)), in);
  }
}

CASE("no second reduction") {
  const Inputs in = random_inputs(draw, 3, 256);
  const auto [all, counts] = STUDENT(traced([&] { return student_again(in); }));
  CHECK(!close(without_guards(all), oracle(in, Variant::own_r), 1e-4),
        "1 / sqrt(mean(x^2) + eps) is computed again: the forward pass has kept r, one number for each row");
  check_values(all, in);
  CHECK(counts.barriers == 0 && counts.shared_loads + counts.shared_stores == 0,
        "{} barriers and {} accesses to shared memory: nothing has to be added up here", counts.barriers,
        counts.shared_loads + counts.shared_stores);
}

CASE("memory speed") {
  const int64_t rows = 4, C = 4 * draw.integer(100, 160), pieces = rows * C / 4;
  const Inputs in = random_inputs(draw, rows, C);
  WITH("{} rows of {} values", rows, C);
  const auto [all, counts] = STUDENT(traced([&] { return student_again(in); }));
  check_values(all, in);
  CHECK(counts.loads[4] >= 2 * pieces && counts.stores[4] >= pieces,
        "{} loads and {} stores of 16 bytes: x and the weight have {} pieces of 16 bytes, y has {}",
        counts.loads[4], counts.stores[4], 2 * pieces, pieces);
  CHECK(counts.load_bytes <= rows * C * 4 * 2 + pieces * 4,
        "the kernel reads {} bytes; x and a weight for each x have {}: read each x once, and r once in each "
        "thread",
        counts.load_bytes, rows * C * 8);
  CHECK(counts.transactions <= 3 * rows * C * 4 / 32 + 16 * rows,
        "the warps need {} transactions of 32 bytes, {} would do: neighbouring threads should have "
        "neighbouring pieces",
        counts.transactions, 3 * rows * C * 4 / 32);
}
