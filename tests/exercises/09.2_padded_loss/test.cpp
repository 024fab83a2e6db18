#include "padded_loss.h"

#include "tests/exercises/tensors.h"

namespace {

using gpt2::testing::finite_differences;
using gpt2::testing::oracle::with_padding;
using gpt2::testing::oracle::without_padding;

struct Inputs {
  std::vector<float> logits;  // (rows, Vp)
  Ids targets;
  int64_t V, Vp;
  float smoothing;
};

Inputs random_inputs(Draw& draw, float smoothing) {
  const int64_t rows = draw.integer(2, 7), V = draw.integer(5, 40), Vp = V + draw.integer(3, 20);
  WITH("{} rows, V = {}, Vp = {}, smoothing = {}", rows, V, Vp, smoothing);
  auto logits = draw.uniform(rows * Vp, -2, 4);
  return {std::move(logits), draw.ids(rows, V), V, Vp, smoothing};
}

// The mean of -sum of wanted_j log p_j, from probabilities over `columns` of the rows. The target has
// 1 - smoothing; the first `sharing` columns share the rest.
double oracle(const Values& logits, const Inputs& in, int64_t columns, int64_t sharing) {
  const Values p = gpt2::testing::oracle::softmax(logits, columns);
  double sum = 0;
  for (size_t i = 0; i < p.size(); ++i) {
    const size_t row = i / size_t(columns), column = i % size_t(columns);
    const bool is_target = column == size_t(in.targets[row]);
    const double share = int64_t(column) < sharing ? 1 / double(sharing) : 0;
    sum -= (in.smoothing * share + (is_target ? 1 - double(in.smoothing) : 0)) * std::log(p[i]);
  }
  return sum / double(in.targets.size());
}

Values kept_logits(const Inputs& in) { return without_padding(doubles(in.logits), in.V, in.Vp); }
double oracle(const Inputs& in) { return oracle(kept_logits(in), in, in.V, in.V); }

// With the sum of the V logits divided by Vp.
double smoothed_over_vp(const Inputs& in) {
  const Values kept = kept_logits(in);
  const double mean = std::accumulate(kept.begin(), kept.end(), 0.0) / double(kept.size());
  return oracle(in) + in.smoothing * mean * (1 - double(in.V) / double(in.Vp));
}

Inputs without_smoothing(Inputs in) {
  in.smoothing = 0;
  return in;
}

// The gradient of 3 * loss: (rows, Vp), with zeros in the padding.
Values oracle_gradient(const Inputs& in) {
  const auto f = [&](const Values& kept) { return 3 * oracle(kept, in, in.V, in.V); };
  return with_padding(finite_differences(f, kept_logits(in)), in.V, in.Vp);
}

// The student's loss, and the gradient of 3 * loss. The memory that the gradient gets held sevens before.
std::pair<Tensor, Tensor> student_loss(const Inputs& in) {
  const int64_t rows = int64_t(in.targets.size());
  Tensor x = from_vector(in.logits, {rows, in.Vp});
  x.set_requires_grad();
  const Tensor loss = padded_loss(x, from_vector(in.targets, {rows}), in.V, in.smoothing);
  const Tensor scaled = loss * 3;
  const std::vector<float> seven(in.logits.size(), 7);
  std::vector<Tensor> sevens;
  for (int64_t i = 0; i < 64; ++i) sevens.push_back(from_vector(seven, {rows, in.Vp}));
  sevens.clear();
  scaled.backward();
  return {loss.detach(), x.grad()};
}

// The largest absolute value in the padding of `gradient` (rows, Vp); NaN counts as infinite.
double largest_in_padding(const Tensor& gradient, const Inputs& in) {
  double largest = 0;
  const Values values = doubles(gradient);
  for (size_t i = 0; i < values.size(); ++i) {
    if (i % size_t(in.Vp) < size_t(in.V)) continue;
    largest = std::max(largest, std::isnan(values[i]) ? INFINITY : std::abs(values[i]));
  }
  return largest;
}

}  // namespace

CASE("loss") {
  for (const float smoothing : {0.0f, 0.1f, 0.3f}) {
    const Inputs in = random_inputs(draw, smoothing);
    const auto loss = STUDENT(student_loss(in).first);
    const double right = oracle(in);
    const auto is = [&](double wrong) { return close(loss, wrong, 1e-5) && !close(wrong, right, 1e-5); };
    const Values all = doubles(in.logits);
    CHECK(!is(oracle(all, in, in.Vp, in.V)) && !is(oracle(all, in, in.Vp, in.Vp)),
          "the padding is in the sum of the softmax: take the first V columns alone");
    CHECK(!is(smoothed_over_vp(in)),
          "the smoothing is shared among all Vp columns: it belongs to the V tokens, smoothing / V each");
    CHECK(!is(oracle(without_smoothing(in))), "the loss does not depend on the smoothing");
    CHECK_CLOSE(loss, right, 1e-5, "the loss is not the smoothed cross entropy of the first V columns");
  }
}

CASE("gradient") {
  for (const float smoothing : {0.0f, 0.2f}) {
    const Inputs in = random_inputs(draw, smoothing);
    const auto gradient = STUDENT(student_loss(in).second);
    const auto kept = [&](const Values& values) { return without_padding(values, in.V, in.Vp); };
    const Values actual = kept(doubles(gradient)), plain = kept(oracle_gradient(without_smoothing(in)));
    CHECK(smoothing == 0 || !close(actual, plain, 1e-4),
          "the gradient is that of the loss without smoothing: it is softmax minus the wanted distribution");
    CHECK_CLOSE(actual, kept(oracle_gradient(in)), 1e-4,
                "the first V columns differ from finite differences of the loss");
  }
}

CASE("gradient of the padding") {
  const Inputs in = random_inputs(draw, 0.1f);
  const auto gradient = STUDENT(student_loss(in).second);
  const double largest = largest_in_padding(gradient, in);
  CHECK(largest != 7, "the gradient of the padding is whatever was in memory: `empty` does not clear it");
  CHECK(
      largest == 0,
      "the gradient of the padding reaches {:.3g}, it must be exactly 0: slicing the loss is not enough, the "
      "backward pass needs V as well",
      largest);
  CHECK_CLOSE(gradient, oracle_gradient(in), 1e-4,
              "the gradient differs from finite differences of the loss");
}

CASE("any padding") {
  const Inputs in = random_inputs(draw, 0.1f);
  Inputs changed = in;
  const std::vector<float> values{INFINITY, -INFINITY, 3e38f, NAN, -3e38f, 1000};
  const int64_t first = draw.integer(0, 1);  // infinity, or not: whatever stands there has no effect
  for (size_t i = 0; i < in.logits.size(); ++i) {
    if (i % size_t(in.Vp) >= size_t(in.V)) changed.logits[i] = values[(i + size_t(first)) % values.size()];
  }
  const auto [loss, gradient] = STUDENT(student_loss(in));
  const auto [other_loss, other_gradient] = STUDENT(student_loss(changed));
  CHECK_CLOSE(loss, oracle(in), 1e-5, "the loss is wrong already with small values in the padding");
  CHECK(
      std::isfinite(doubles(other_loss)[0]),
      "with infinity and NaN in the padding the loss is {}: inf - 1e9 is inf, and NaN times 0 is NaN. Do not "
      "read these columns",
      doubles(other_loss)[0]);
  CHECK_EQUAL(other_loss, doubles(loss), "the loss depends on what the padding holds");
  CHECK(largest_in_padding(other_gradient, in) == 0,
        "the gradient of the padding is not 0 if it holds infinity or NaN: write the 0, do not compute it");
  CHECK_EQUAL(other_gradient, doubles(gradient), "the gradient depends on what the padding holds");
}
