#include "block.h"

#include "tests/exercises/tensors.h"

namespace {

namespace oracle = gpt2::testing::oracle;

struct Weights {
  int64_t C, hidden;
  std::vector<float> ln_1, ln_2, value, attention, fc, fc_bias, proj, proj_bias;
};

Weights random_weights(Draw& draw) {
  const int64_t C = 2 * draw.integer(4, 12), hidden = C + draw.integer(3, 20);
  const auto matrix = [&](int64_t out, int64_t in) {
    return draw.normal(out * in, 0, 1 / std::sqrt(double(in)));
  };
  auto ln_1 = draw.uniform(C, 0.5, 2), ln_2 = draw.uniform(C, 0.5, 2);
  auto value = matrix(C, C), attention = matrix(C, C), fc = matrix(hidden, C), fc_bias = draw.normal(hidden);
  auto proj = matrix(C, hidden), proj_bias = draw.normal(C);
  return {C, hidden, ln_1, ln_2, value, attention, fc, fc_bias, proj, proj_bias};
}

void fill(const Tensor& parameter, const std::vector<float>& values) {
  copy_(parameter.detach(), from_vector(values, parameter.shape()));
}

void clear(const nn::Linear& layer) { zero_(layer.weight.detach()), zero_(layer.bias.detach()); }

void fill(const FeedForward& net, const Weights& w) {
  fill(net.fc.weight, w.fc), fill(net.fc.bias, w.fc_bias);
  fill(net.proj.weight, w.proj), fill(net.proj.bias, w.proj_bias);
}

// Only the values reach the output of attention if T = 1; queries and keys keep their initial weights.
void fill(const Block& block, const Weights& w) {
  fill(block.feed_forward, w);
  fill(block.ln_1.weight, w.ln_1), fill(block.ln_2.weight, w.ln_2);
  zero_(block.attention.qkv.bias.detach()), clear(block.attention.proj);
  fill(block.attention.qkv.weight.detach().slice(0, 2 * w.C, w.C), w.value);
  fill(block.attention.proj.weight, w.attention);
}

Values times(const Values& x, const std::vector<float>& weight) {  // x (rows, in), weight (out, in)
  const size_t in = x.size();
  Values y;
  for (size_t i = 0; i < weight.size(); ++i) {
    if (i % in == 0) y.push_back(0);
    y.back() += x[i % in] * double(weight[i]);
  }
  return y;
}

Values sum(const Values& x, const Values& branch, double gain = 1) {
  Values y = x;
  for (size_t i = 0; i < y.size(); ++i) y[i] += gain * branch[i];
  return y;
}

// One row at a time.
Values oracle_feed_forward(const Values& x, const Weights& w) {
  const Values hidden = oracle::gelu(sum(times(x, w.fc), doubles(w.fc_bias)));
  return sum(times(hidden, w.proj), doubles(w.proj_bias));
}

Values norm(const Values& x, const std::vector<float>& weight) {
  return oracle::layer_norm(x, doubles(weight), Values(x.size()), 1e-5).y;
}

Values oracle_attention(const Values& x, const Weights& w) { return times(times(x, w.value), w.attention); }

Values oracle_block(Values x, const Weights& w, double gain) {
  x = sum(x, oracle_attention(norm(x, w.ln_1), w), gain);
  return sum(x, oracle_feed_forward(norm(x, w.ln_2), w), gain);
}

// Both branches read the same x.
Values parallel_block(const Values& x, const Weights& w, double gain) {
  return sum(sum(x, oracle_attention(norm(x, w.ln_1), w), gain), oracle_feed_forward(norm(x, w.ln_2), w),
             gain);
}

Tensor silent_block(const Weights& w, const Tensor& x) {
  const Block block(nullptr, "", w.C, 2, w.hidden, 0.5);
  clear(block.attention.proj), clear(block.feed_forward.proj);
  return block(x).detach();
}

float length(const Tensor& x) {
  float sum = 0;
  for (const float value : x.to_vector<float>()) sum += value * value;
  return std::sqrt(sum);
}

// The lengths of the gradients of the first and the last block's fc.weight.
std::pair<float, float> gradients_of_stack(const std::vector<float>& x, const std::vector<float>& dy,
                                           int64_t C) {
  const int64_t T = int64_t(x.size()) / C, n = int64_t(x.size()), layers = 24;
  nn::manual_seed(1);
  nn::ModuleList<Block> blocks(nullptr, "", layers, C, int64_t{2}, 4 * C, 1 / std::sqrt(2.0 * layers));
  Tensor y = from_vector(x, {1, T, C});
  for (const Block& block : blocks) y = block(y);
  matmul(y.view({1, n}), from_vector(dy, {n, 1})).backward();
  return {length(blocks[0].feed_forward.fc.weight.grad()),
          length(blocks[layers - 1].feed_forward.fc.weight.grad())};
}

}  // namespace

CASE("feed-forward") {
  const Weights w = random_weights(draw);
  WITH("C = {}, hidden = {}", w.C, w.hidden);
  const auto x = draw.normal(w.C);
  const auto y = STUDENT([&] {
    const FeedForward net(nullptr, "", w.C, w.hidden);
    fill(net, w);
    return net(from_vector(x, {1, 1, w.C})).detach();
  }());
  const Values linear =
      sum(times(sum(times(doubles(x), w.fc), doubles(w.fc_bias)), w.proj), doubles(w.proj_bias));
  CHECK(!close(y, linear, 1e-4), "without GELU two Linear layers are only one: the net is linear");
  CHECK_CLOSE(y, oracle_feed_forward(doubles(x), w), 1e-4, "the net is not Linear, GELU, Linear");
}

CASE("identity") {
  const Weights w = random_weights(draw);
  const int64_t T = draw.integer(2, 9);
  WITH("T = {}, C = {}, both branches return 0", T, w.C);
  const auto x = draw.normal(T * w.C, 3, 2);
  const auto y = STUDENT(silent_block(w, from_vector(x, {1, T, w.C})));
  CHECK(!close(y, Values(size_t(T * w.C)), 0), "the block returns 0: add the branches to x");
  CHECK(
      !close(y, oracle::layer_norm(doubles(x), Values(size_t(w.C), 1), Values(size_t(w.C)), 1e-5).y, 1e-3),
      "the block returns the LayerNorm of x: normalise what goes into a branch, and leave the stream alone");
  CHECK_EQUAL(y, doubles(x), "the block changes x, though its branches return 0");
}

CASE("one position") {
  for (const double gain : {1.0, 0.25}) {
    const Weights w = random_weights(draw);
    WITH("T = 1, C = {}, gain = {}", w.C, gain);
    const auto x = draw.normal(w.C, 1, 2);
    const auto y = STUDENT([&] {
      const Block block(nullptr, "", w.C, 2, w.hidden, gain);
      fill(block, w);
      return block(from_vector(x, {1, 1, w.C})).detach();
    }());
    CHECK(gain == 1 || !close(y, oracle_block(doubles(x), w, 1), 1e-4),
          "the gain is missing: each branch is multiplied with it");
    CHECK(!close(y, parallel_block(doubles(x), w, gain), 1e-4),
          "the feed-forward net reads the x from before attention; it should read the sum");
    CHECK_CLOSE(y, oracle_block(doubles(x), w, gain), 1e-4,
                "the block is not x + gain attention(ln_1(x)), then + gain feed_forward(ln_2(x))");
  }
}

CASE("first and last layer") {
  const int64_t T = draw.integer(4, 8), C = 32;
  WITH("24 blocks, T = {}, C = {}", T, C);
  const auto x = draw.normal(T * C), dy = draw.normal(T * C);
  const auto [first, last] = STUDENT(gradients_of_stack(x, dy, C));
  const double ratio = double(first) / double(last);
  CHECK(
      ratio >= 0.2 && ratio <= 5,
      "the gradient of the first block is {:.2g} times that of the last: it must reach the first through the "
      "sums alone",
      ratio);
}
