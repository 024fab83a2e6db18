#include "dropout.h"
#include "tests/exercises/tensors.h"

namespace {

// Two calls with the same x.
std::pair<std::vector<float>, std::vector<float>> drop_values(double p, bool training,
                                                              const std::vector<float>& x) {
  DropoutLayer dropout{.p = p, .training = training};
  const Tensor in = from_vector(x, {int64_t(x.size())});
  const Tensor first = dropout(in), second = dropout(in);
  return {first.to_vector<float>(), second.to_vector<float>()};
}

// y of a view of x (its transpose), and the gradient of x for dy.
std::pair<Tensor, Tensor> value_and_gradient(double p, const std::vector<float>& x,
                                             const std::vector<float>& dy, int64_t rows) {
  const int64_t n = int64_t(x.size());
  DropoutLayer dropout{.p = p};
  Tensor y;
  const auto f = [&](const std::vector<Tensor>& leaf) {
    y = dropout(leaf[0].transpose(0, 1));
    return matmul(y.contiguous().view({1, n}), from_vector(dy, {n, 1}));
  };
  const Tensor dx = gradients(f, {from_vector(x, {rows, n / rows})})[0];
  return {y.detach(), dx};
}

// The calls of dropout in a block, and the block's output.
std::tuple<std::vector<Tensor>, std::vector<Tensor>, Tensor> calls_of_block(const Sizes& sizes,
                                                                            const Tensor& x) {
  nn::manual_seed(7);
  DropoutLayer dropout{.p = sizes.dropout, .keeps_calls = true};
  const Block block(nullptr, "", sizes, &dropout);
  const Tensor y = block(x).detach();
  std::vector<Tensor> in, out;
  for (const auto& call : dropout.calls)
    in.push_back(call.in.contiguous()), out.push_back(call.out.contiguous());
  return {in, out, y};
}

// Two estimates; whether dropout is on afterwards, if it was on and if it was off; the loss without dropout.
std::tuple<double, double, bool, bool, double> estimates(const Sizes& sizes, const Ids& ids,
                                                         const Ids& targets) {
  nn::manual_seed(11);
  Model model(sizes);
  const int64_t T = int64_t(ids.size());
  const Tensor x = from_vector(ids, {1, T}), y = from_vector(targets, {1, T});
  const double one = estimate_loss(model, x, y), two = estimate_loss(model, x, y);
  const bool on = model.dropout.training;
  model.dropout.training = false;
  estimate_loss(model, x, y);
  const bool off = model.dropout.training;
  const NoGrad no_grad;
  return {one, two, on, off, cross_entropy(model(x), y).item()};
}

double share_of_zeros(const Values& y) {
  return double(std::count(y.begin(), y.end(), 0)) / double(y.size());
}

double mean(const Values& y) { return std::accumulate(y.begin(), y.end(), 0.0) / double(y.size()); }

}  // namespace

CASE("zeros and the mean") {
  const int64_t n = 100'001;
  for (const double p : {0.2, draw.number(0.3, 0.6)}) {
    WITH("p = {:.2f}, {} ones", p, n);
    const std::vector<float> ones(size_t(n), 1);
    const auto [first, second] = STUDENT(drop_values(p, true, ones));
    const Values y = doubles(first);
    CHECK(int64_t(y.size()) == n, "{} values came out", y.size());
    CHECK(std::abs(share_of_zeros(y) - p) < 0.01, "{:.3f} of the values are 0", share_of_zeros(y));
    CHECK(std::abs(mean(y) - (1 - p)) > 0.01,
          "the mean is {:.3f}: the values that stay are to be divided by 1 - p", mean(y));
    CHECK(std::abs(mean(y) - 1) < 0.01, "the mean is {:.3f}, expected 1", mean(y));
    CHECK(first != second, "two calls drop the same values: draw anew in each");
  }
  const auto x = draw.normal(99);
  const auto [first, second] = STUDENT(drop_values(0.5, false, x));
  CHECK(first == x && second == x, "dropout changes x though training is false");
}

CASE("gradient") {
  const int64_t rows = draw.integer(2, 9), n = rows * draw.integer(20, 40);
  const double p = draw.number(0.2, 0.5);
  WITH("p = {:.2f}, x is a view: the transpose of ({}, {})", p, rows, n / rows);
  const auto x = draw.uniform(n, 1, 2), dy = draw.uniform(n, 1, 2);
  const auto [y, dx] = STUDENT(value_and_gradient(p, x, dy, rows));
  const Values out = doubles(y), actual = doubles(dx);
  const int64_t cols = n / rows;
  Values expected(static_cast<size_t>(n)), without_mask(static_cast<size_t>(n));
  for (int64_t i = 0; i < n; ++i) {
    const int64_t at = i % cols * rows + i / cols;  // of x[i] in y, which is (cols, rows)
    expected[size_t(i)] = double(dy[size_t(at)]) * out[size_t(at)] / double(x[size_t(i)]);
    without_mask[size_t(i)] = double(dy[size_t(at)]);
  }
  CHECK(int64_t(actual.size()) == n, "no gradient reaches x: record() is missing");
  CHECK(!close(actual, without_mask, 1e-4), "the gradient passes the dropped values, too");
  CHECK_CLOSE(
      actual, expected, 1e-4,
      "the gradient is not dy times the factors of the forward pass: keep them, and do not draw again");
}

CASE("three places") {
  const int64_t B = draw.integer(1, 3), T = draw.integer(3, 8), nh = draw.integer(2, 3), C = 8 * nh;
  const Sizes sizes{
      .vocab_size = 9, .block_size = T, .n_layer = 1, .n_head = nh, .n_embd = C, .dropout = 0.3};
  WITH("B = {}, T = {}, C = {}, {} heads", B, T, C, nh);
  const auto x = draw.normal(B * T * C);
  const auto [in, out, y] = STUDENT(calls_of_block(sizes, from_vector(x, {B, T, C})));
  CHECK(in.size() == 3 && out.size() == 3,
        "dropout is called {} times in a block, expected 3: on the weights of attention, "
        "behind its projection, behind the feed-forward net",
        in.size());
  CHECK(in[0].shape() == (Shape{B, nh, T, T}),
        "the first call of dropout is on {}, expected the weights of attention, {}", to_string(in[0].shape()),
        to_string(Shape{B, nh, T, T}));
  const Values weights = doubles(in[0]);
  for (size_t row = 0; row < weights.size() / size_t(T); ++row) {
    const auto begin = weights.begin() + int64_t(row) * T;
    const double sum = std::accumulate(begin, begin + T, 0.0);
    CHECK(std::abs(sum - 1) < 1e-4,
          "a row of what is dropped first sums to {:.3f}: dropout comes after the softmax, where 0 means "
          "'not read'",
          sum);
  }
  Values expected = doubles(x);
  for (const size_t call : {size_t{1}, size_t{2}}) {
    CHECK(out[call].shape() == (Shape{B, T, C}), "call {} of dropout is on {}, expected {}", call + 1,
          to_string(out[call].shape()), to_string(Shape{B, T, C}));
    const Values branch = doubles(out[call]);
    for (size_t i = 0; i < expected.size(); ++i) expected[i] += branch[i];
  }
  CHECK_CLOSE(y, expected, 1e-5,
              "the block is not x plus what dropout returned for the two branches: drop the whole output of "
              "each branch, "
              "behind proj, and leave the stream alone");
}

CASE("estimate of the loss") {
  const int64_t V = draw.integer(10, 20), T = draw.integer(10, 16);
  Sizes sizes{.vocab_size = V, .block_size = T, .n_layer = 2, .n_head = 2, .n_embd = 16, .dropout = 0.4};
  const Ids ids = draw.ids(T, V), targets = draw.ids(T, V);
  const auto [one, two, on, off, expected] = STUDENT(estimates(sizes, ids, targets));
  CHECK(one == two, "two estimates of the same batch are {:.5f} and {:.5f}: dropout is still on", one, two);
  CHECK(on, "after the estimate dropout stays off: training goes on without it");
  CHECK(!off, "the estimate turns dropout on though it was off");
  CHECK_CLOSE(one, expected, 1e-5, "the estimate is not the loss of the model without dropout");
}

CASE("scaled up") {
  const int64_t V = draw.integer(60, 70);
  const auto sizes = STUDENT(scaled_up(V));
  const std::vector<int64_t> actual{sizes.vocab_size, sizes.block_size, sizes.n_layer, sizes.n_head,
                                    sizes.n_embd};
  const std::vector<int64_t> expected{V, 256, 6, 6, 384};
  CHECK(actual == expected, "vocabulary, block size, layers, heads and channels are {}, expected {}", actual,
        expected);
  CHECK(sizes.dropout == 0.2, "dropout is {}, in the lecture it is 0.2", sizes.dropout);
}
