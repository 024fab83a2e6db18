#include "heads.h"

#include "tests/exercises/tensors.h"

namespace {

struct Inputs {
  int64_t B, T, C, nh, hs;
  std::vector<float> x, query, key, value;

  Tensor tensor() const { return from_vector(x, {B, T, C}); }
  Tensor weight(const std::vector<float>& values) const { return from_vector(values, {nh * hs, C}); }
  HeadWeights weights() const { return {nh, weight(query), weight(key), weight(value)}; }
};

Inputs random_inputs(Draw& draw, int64_t nh, int64_t T) {
  const int64_t B = draw.integer(1, 3), C = draw.integer(10, 30), hs = draw.pick<int64_t>({5, 8, 12});
  const auto weight = [&] { return draw.normal(nh * hs * C, 0, 1.5 / std::sqrt(double(C))); };
  auto x = draw.normal(B * T * C);
  auto query = weight(), key = weight(), value = weight();
  return {B, T, C, nh, hs, std::move(x), std::move(query), std::move(key), std::move(value)};
}

// Output channel j at position i of x: row i times row j of the weight.
double project(const Inputs& in, const std::vector<float>& weight, int64_t i, int64_t j) {
  double sum = 0;
  for (int64_t c = 0; c < in.C; ++c)
    sum += double(in.x[size_t(i * in.C + c)]) * double(weight[size_t(j * in.C + c)]);
  return sum;
}

// exp of the score of positions i and j (rows of x) in head h
double exp_score(const Inputs& in, int64_t i, int64_t j, int64_t h) {
  double sum = 0;
  for (int64_t c = h * in.hs; c < (h + 1) * in.hs; ++c)
    sum += project(in, in.query, i, c) * project(in, in.key, j, c);
  return std::exp(sum / std::sqrt(double(in.hs)));
}

// One position and one head at a time, in double.
Values oracle(const Inputs& in) {
  Values y(size_t(in.B * in.T * in.nh * in.hs));
  for (int64_t i = 0; i < in.B * in.T; ++i) {
    for (int64_t h = 0; h < in.nh; ++h) {
      double total = 0;
      double* out = &y[size_t((i * in.nh + h) * in.hs)];
      for (int64_t j = i / in.T * in.T; j <= i; ++j) {
        const double weight = exp_score(in, i, j, h);
        total += weight;
        for (int64_t c = 0; c < in.hs; ++c) out[c] += weight * project(in, in.value, j, h * in.hs + c);
      }
      for (int64_t c = 0; c < in.hs; ++c) out[c] /= total;
    }
  }
  return y;
}

Values sorted(Values values) {
  std::sort(values.begin(), values.end());
  return values;
}

int64_t products(const Inputs& in) {
  return calls_of("matmul", [&] { heads_at_once(in.tensor(), in.weights()); });
}

// The gradients of x and the three weights, for a random gradient of the output: dy has T * nh * hs values.
template <class F>
std::vector<Tensor> gradients_of(const F& f, const Inputs& in) {
  const HeadWeights w = in.weights();
  return gradients(
      [&](const std::vector<Tensor>& leaf) {
        return f(leaf[0], HeadWeights{in.nh, leaf[1], leaf[2], leaf[3]});
      },
      {in.tensor(), w.query, w.key, w.value});
}

// The sum of all elements of y times dy; y has the shape of dy.
Tensor weighted_sum(const Tensor& y, const std::vector<float>& dy) {
  const int64_t n = int64_t(dy.size());
  return matmul(y.contiguous().view({1, n}), from_vector(dy, {n, 1}));
}

}  // namespace

CASE("one head") {
  const Inputs in = random_inputs(draw, 1, draw.integer(2, 12));
  WITH("B = {}, T = {}, C = {}, one head of {}", in.B, in.T, in.C, in.hs);
  const auto y = STUDENT(heads_at_once(in.tensor(), in.weights()));
  CHECK_CLOSE(y, oracle(in), 1e-4, "the output is not that of W5's head");
}

CASE("many heads") {
  const int64_t heads = draw.integer(2, 6);
  for (const int64_t T : {int64_t{1}, int64_t{37}, draw.integer(2, 20)}) {
    const Inputs in = random_inputs(draw, T == 37 ? 3 : heads, T);
    WITH("B = {}, T = {}, C = {}, {} heads of {}", in.B, in.T, in.C, in.nh, in.hs);
    const auto y = STUDENT(heads_at_once(in.tensor(), in.weights()));
    CHECK(y.shape() == (Shape{in.B, in.T, in.nh * in.hs}), "the output is {}, expected ({}, {}, {})",
          to_string(y.shape()), in.B, in.T, in.nh * in.hs);
    const Values right = oracle(in);
    CHECK(
        close(y, right, 1e-4) || !close(sorted(doubles(y)), sorted(right), 1e-4),
        "the values are right but lie in the wrong order: before the last view, each position must have its "
        "heads side by side, (B, T, nh, hs)");
    CHECK_CLOSE(
        y, right, 1e-4,
        "the output is not that of the loop: does q[b, h, t] hold the channels h * hs ... of position "
        "t? A view of (B, T, nh * hs) can only split the last dimension");
  }
}

CASE("number of products") {
  const int64_t T = draw.integer(3, 9);
  const Inputs one = random_inputs(draw, 1, T), many = random_inputs(draw, draw.integer(4, 7), T);
  const auto of_one = STUDENT(products(one));
  const auto of_many = STUDENT(products(many));
  const auto y = STUDENT(heads_at_once(many.tensor(), many.weights()));
  CHECK(of_many == of_one,
        "{} matrix products for 1 head, {} for {} heads: treat the heads as a dimension of the batch", of_one,
        of_many, many.nh);
  CHECK_CLOSE(y, oracle(many), 1e-4, "the output is not that of the loop");
}

CASE("gradients") {
  const Inputs in = random_inputs(draw, 3, draw.integer(3, 9));
  WITH("B = {}, T = {}, C = {}, {} heads of {}", in.B, in.T, in.C, in.nh, in.hs);
  const auto dy = draw.normal(in.B * in.T * in.nh * in.hs);
  const auto actual = STUDENT(gradients_of(
      [&](const Tensor& x, const HeadWeights& w) { return weighted_sum(heads_at_once(x, w), dy); }, in));
  const auto loop = [&](const Tensor& x, const HeadWeights& w) {
    Tensor sum;
    const auto outputs = heads_one_by_one(x, w);
    for (int64_t h = 0; h < in.nh; ++h) {
      std::vector<float> of_head;
      for (size_t i = 0; i < dy.size(); ++i) {
        if (int64_t(i) / in.hs % in.nh == h) of_head.push_back(dy[i]);
      }
      const Tensor part = weighted_sum(outputs[size_t(h)], of_head);
      sum = h == 0 ? part : sum + part;
    }
    return sum;
  };
  const std::vector<Tensor> expected = gradients_of(loop, in);
  const std::vector<std::string> names{"x", "query", "key", "value"};
  for (size_t i = 0; i < names.size(); ++i) {
    CHECK(actual[i].defined(), "no gradient reaches {}: use the library's ops only", names[i]);
    CHECK_CLOSE(actual[i], doubles(expected[i]), 1e-4, "the gradient of {} is not that of the loop",
                names[i]);
  }
}
