#include "swiglu.h"
#include "tests/exercises/device.h"

namespace {

std::vector<float> forward_of(const std::vector<float>& x, int64_t rows, int64_t C) {
  const OnDevice<float> in(x), out(rows * C);
  swiglu_forward(kStream, out, in, rows, C);
  return out.values();
}

std::vector<float> backward_of(const std::vector<float>& x, const std::vector<float>& dy, int64_t rows,
                               int64_t C) {
  const OnDevice<float> in(x), gradient(dy), out(2 * rows * C);
  swiglu_backward(kStream, out, in, gradient, rows, C);
  return out.values();
}

double sigmoid(double g) { return 0.5 * (1 + std::tanh(0.5 * g)); }
double swiglu(double gate, double up) { return gate * sigmoid(gate) * up; }

// f(gate, up) for each pair, row by row.
template <class F>
Values for_pairs(const std::vector<float>& x, int64_t C, const F& f) {
  Values result;
  for (size_t row = 0; row < x.size(); row += size_t(2 * C)) {
    for (size_t i = row; i < row + size_t(C); ++i) result.push_back(f(x[i], x[i + size_t(C)]));
  }
  return result;
}

Values oracle(const std::vector<float>& x, int64_t C) { return for_pairs(x, C, swiglu); }

// The two halves of dx by rows, from f(gate, up) for each.
template <class Gate, class Up>
Values gradients(const std::vector<float>& x, const std::vector<float>& dy, int64_t C, const Gate& gate,
                 const Up& up) {
  const Values of_gate = for_pairs(x, C, gate), of_up = for_pairs(x, C, up);
  Values dx;
  for (size_t row = 0; row < dy.size(); row += size_t(C)) {
    for (size_t i = row; i < row + size_t(C); ++i) dx.push_back(of_gate[i] * dy[i]);
    for (size_t i = row; i < row + size_t(C); ++i) dx.push_back(of_up[i] * dy[i]);
  }
  return dx;
}

constexpr double kStep = 1e-5;

double slope_of_gate(double gate, double up) {
  return (swiglu(gate + kStep, up) - swiglu(gate - kStep, up)) / (2 * kStep);
}
double slope_of_up(double gate, double up) {
  return (swiglu(gate, up + kStep) - swiglu(gate, up - kStep)) / (2 * kStep);
}

// The differences of the forward formula.
Values oracle(const std::vector<float>& x, const std::vector<float>& dy, int64_t C) {
  return gradients(x, dy, C, slope_of_gate, slope_of_up);
}

void check_trip(const Counts& counts, int64_t reads, int64_t writes, int64_t n) {
  CHECK(counts.launches == 1,
        "{} kernels are launched; one does it all, and what lies between stays in registers",
        counts.launches);
  CHECK(counts.load_bytes <= reads * n * 4,
        "{:.1f} n floats are read, {} n would do: read each value once, and keep it",
        double(counts.load_bytes) / double(4 * n), reads);
  CHECK(counts.store_bytes <= writes * n * 4,
        "{:.1f} n floats are written, {} n would do: intermediate values stay in registers",
        double(counts.store_bytes) / double(4 * n), writes);
}

}  // namespace

CASE("forward") {
  for (const int64_t C : {draw.integer(2, 30), int64_t{1}, int64_t{39}, draw.integer(100, 300)}) {
    const int64_t rows = draw.integer(2, 5);
    WITH("{} rows, C = {}", rows, C);
    const auto x = draw.uniform(rows * 2 * C, -4, 4);
    const auto y = STUDENT(forward_of(x, rows, C));
    const auto exchanged = for_pairs(x, C, [](double gate, double up) { return swiglu(up, gate); });
    const auto glu = for_pairs(x, C, [](double gate, double up) { return sigmoid(gate) * up; });
    const auto whole = for_pairs(x, rows * C, swiglu);
    CHECK(!close(y, exchanged, 1e-5), "gate and up are exchanged: the gates come first in each row");
    CHECK(!close(y, glu, 1e-5), "this is sigmoid(gate) * up: silu(g) is g * sigmoid(g)");
    CHECK(!close(y, whole, 1e-5),
          "x is split into two halves as a whole: each row has its own C gates, and behind them its C values "
          "up");
    CHECK_CLOSE(y, oracle(x, C), 1e-5, "y must be silu(gate) * up");
  }
}

CASE("forward in one trip") {
  const int64_t rows = draw.integer(2, 5), C = draw.integer(100, 300), n = rows * C;
  const auto x = draw.uniform(2 * n, -4, 4);
  const auto [y, counts] = STUDENT(traced([&] { return forward_of(x, rows, C); }));
  CHECK_CLOSE(y, oracle(x, C), 1e-5, "y must be silu(gate) * up");
  check_trip(counts, 2, 1, n);
}

CASE("backward") {
  for (const int64_t C : {draw.integer(2, 30), int64_t{1}, int64_t{39}, draw.integer(100, 300)}) {
    const int64_t rows = draw.integer(2, 5);
    WITH("{} rows, C = {}", rows, C);
    const auto x = draw.uniform(rows * 2 * C, -4, 4), dy = draw.uniform(rows * C, -2, 2);
    const auto dx = STUDENT(backward_of(x, dy, rows, C));
    const auto linear = [](double gate, double up) { return sigmoid(gate) * up; };
    CHECK(!close(dx, gradients(x, dy, C, linear, slope_of_up), 1e-5),
          "the gate's gradient lacks a term: in gate * sigmoid(gate) both factors depend on the gate");
    const std::vector<float> ones(dy.size(), 1.0f);
    CHECK(!close(dx, oracle(x, ones, C), 1e-5),
          "dy is missing: the chain rule multiplies both gradients with it");
    CHECK_CLOSE(dx, oracle(x, dy, C), 1e-5, "dx differs from the differences of the forward formula");
  }
}

CASE("backward in one trip") {
  const int64_t rows = draw.integer(2, 5), C = draw.integer(100, 300), n = rows * C;
  const auto x = draw.uniform(2 * n, -4, 4), dy = draw.uniform(n, -2, 2);
  const auto [dx, counts] = STUDENT(traced([&] { return backward_of(x, dy, rows, C); }));
  CHECK_CLOSE(dx, oracle(x, dy, C), 1e-5, "dx differs from the differences of the forward formula");
  check_trip(counts, 3, 2, n);
}

CASE("large gates") {
  const std::vector<float> gates{-10000, -100, -90, 90, 100, 10000};
  const auto C = int64_t(gates.size());
  auto x = draw.uniform(2 * C, -2, 2);
  std::copy(gates.begin(), gates.end(), x.begin());
  const auto dy = draw.uniform(C, -2, 2);
  const auto y = STUDENT(forward_of(x, 1, C)), dx = STUDENT(backward_of(x, dy, 1, C));
  const auto first_bad = [](const std::vector<float>& values) {
    return std::find_if(values.begin(), values.end(), [](float v) { return !std::isfinite(v); }) -
           values.begin();
  };
  CHECK(first_bad(y) == C,
        "y is not finite for the gate {}: exp(-gate) overflows there; what follows must bear that",
        gates[size_t(first_bad(y) % C)]);
  CHECK(first_bad(dx) == 2 * C,
        "dx is not finite for the gate {}: exp(-gate) overflows there, and infinity / infinity is NaN. With "
        "the sigmoid s, "
        "its derivative is s * (1 - s)",
        gates[size_t(first_bad(dx) % C)]);
  CHECK_CLOSE(y, oracle(x, C), 1e-5, "y must be silu(gate) * up");
  CHECK_CLOSE(dx, oracle(x, dy, C), 1e-5, "dx differs from the differences of the forward formula");
}
