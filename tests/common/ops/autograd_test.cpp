#include "common/ops/autograd.h"

#include <thread>

#include "tests/common/files.h"
#include "tests/common/ops/op_checks.h"

namespace gpt2::testing {
namespace {

class AutogradTest : public OnEveryDevice {
 protected:
  // A device's first matrix product takes a workspace that stays.
  void take_workspaces() {
    const NoGrad no_grad;
    matmul(leaf({1, 1}), leaf({1, 1}));
  }
  Tensor leaf(const Shape& shape, unsigned seed = 1) {
    return from_vector(uniform(numel(shape), -1, 1, seed), shape, device()).set_requires_grad();
  }
  Tensor constant(const Shape& shape, unsigned seed = 1) { return leaf(shape, seed).detach(); }
  Tensor sum(const Tensor& y) { return weighted_sum(y, std::vector<float>(size_t(y.numel()), 1)); }
};

size_t nodes_on_tape() { return context().tape ? context().tape->nodes.size() : 0; }

TEST_P(AutogradTest, ATensorUsedTwiceGetsTheSumOfItsGradients) {
  const auto op = [](const std::vector<Tensor>& in) {
    const Tensor x = in[0] * 2;
    return gelu(x) + x + softmax(x);
  };
  const auto oracle = [](const std::vector<Values>& in) {
    const Values x = oracle::scale(in[0], 2);
    return oracle::add(oracle::add(oracle::gelu(x), x), oracle::softmax(x, 5));
  };
  expect_agrees_with_oracle(device(), {random_input({3, 5}, 1)}, op, oracle);
}

TEST_P(AutogradTest, ALeafUsedTwiceGetsTheSumOfItsGradients) {
  const auto op = [](const std::vector<Tensor>& in) {
    return linear(gelu(linear(in[0], in[1], in[2])), in[1], in[2]) + in[0];
  };
  const auto layer = [](const Values& x, const std::vector<Values>& in) {
    return oracle::add(oracle::matmul(x, oracle::transpose(in[1], 4, 4), 3, 4, 4), in[2]);
  };
  const auto oracle = [&](const std::vector<Values>& in) {
    return oracle::add(layer(oracle::gelu(layer(in[0], in)), in), in[0]);
  };
  const std::vector<Input> inputs = {random_input({3, 4}, 1), random_input({4, 4}, 2), random_input({4}, 3)};
  expect_agrees_with_oracle(device(), inputs, op, oracle);
}

// Graphs of random ops on square matrices, in which tensors are used often, once or not at all, and gradients meet
// as views, as shared storage and as sums.
struct Graph {
  enum Kind { kAdd, kScale, kGelu, kSoftmax, kMatmul, kTranspose, kContiguous, kHalves, kRow, kKinds };
  struct Step {
    Kind kind;
    size_t a, b;  // which of the values so far
  };
  static constexpr int64_t N = 4;

  explicit Graph(unsigned seed) {
    std::mt19937 generator(seed);
    for (size_t values = 2; values < 12; ++values) {
      steps.push_back({Kind(generator() % kKinds), generator() % values, generator() % values});
    }
  }

  Tensor operator()(std::vector<Tensor> values) const {
    for (const Step& step : steps) {
      const Tensor a = values[step.a], b = values[step.b];
      switch (step.kind) {
        case kAdd:
          values.push_back(a + b);
          break;
        case kScale:
          values.push_back(a * -0.5);
          break;
        case kGelu:
          values.push_back(gelu(a));
          break;
        case kSoftmax:
          values.push_back(softmax(a));
          break;
        case kMatmul:
          values.push_back(matmul(a, b));
          break;
        case kTranspose:
          values.push_back(a.transpose(0, 1));
          break;
        case kContiguous:
          values.push_back(a.contiguous());
          break;
        case kHalves:
          values.push_back(matmul(split(a, 2, 1)[0], split(b, 2, 0)[1]));
          break;
        default:
          values.push_back(a + b.slice(0, 1, 1).view({N}));
      }
    }
    return values.back() + values[values.size() - 2] + values[values.size() - 3];
  }

  Values operator()(std::vector<Values> values) const {
    for (const Step& step : steps) {
      const Values a = values[step.a], b = values[step.b];
      const Values half = oracle::columns(a, N, 0, N / 2), row(b.begin() + N, b.begin() + 2 * N);
      const Values lower(b.begin() + N * N / 2, b.end());
      switch (step.kind) {
        case kAdd:
          values.push_back(oracle::add(a, b));
          break;
        case kScale:
          values.push_back(oracle::scale(a, -0.5));
          break;
        case kGelu:
          values.push_back(oracle::gelu(a));
          break;
        case kSoftmax:
          values.push_back(oracle::softmax(a, N));
          break;
        case kMatmul:
          values.push_back(oracle::matmul(a, b, N, N, N));
          break;
        case kTranspose:
          values.push_back(oracle::transpose(a, N, N));
          break;
        case kContiguous:
          values.push_back(a);
          break;
        case kHalves:
          values.push_back(oracle::matmul(half, lower, N, N / 2, N));
          break;
        default:
          values.push_back(oracle::add(a, row));
      }
    }
    return oracle::add(oracle::add(values.back(), values[values.size() - 2]), values[values.size() - 3]);
  }

  std::vector<Step> steps;
};

TEST_P(AutogradTest, RandomGraphsAgreeWithFiniteDifferences) {
  const Shape shape = {Graph::N, Graph::N};
  for (unsigned seed = 0; seed < 40; ++seed) {
    SCOPED_TRACE(seed);
    const Graph graph(seed);
    // Both inputs go into the result whatever the graph makes of them.
    const auto op = [&](const std::vector<Tensor>& in) { return graph(in) + (in[0] + in[1]) * 0.25; };
    const auto oracle = [&](const std::vector<Values>& in) {
      return oracle::add(graph(in), oracle::scale(oracle::add(in[0], in[1]), 0.25));
    };
    const std::vector<Input> inputs = {random_input(shape, 2 * seed + 1), random_input(shape, 2 * seed + 2)};
    expect_agrees_with_oracle(device(), inputs, op, oracle, 1e-5);
  }
}

TEST_P(AutogradTest, BackwardTwiceAddsUp) {
  const Tensor w = leaf({4, 4}), bias = leaf({4}, 2), x = constant({3, 4}, 3);
  const auto loss = [&] { return sum(gelu(linear(x, w, bias))); };
  loss().backward();
  const auto once = w.grad().to_vector<float>(), bias_once = bias.grad().to_vector<float>();
  loss().backward();
  EXPECT_LE(max_relative_error(w.grad().to_vector<float>(), oracle::scale(to_double(once), 2)), 1e-6);
  EXPECT_LE(max_relative_error(bias.grad().to_vector<float>(), oracle::scale(to_double(bias_once), 2)), 1e-6);
}

TEST_P(AutogradTest, NoGradRecordsNothing) {
  const Tensor w = leaf({4, 4});
  {
    const NoGrad no_grad;
    { const NoGrad inner; }
    const Tensor y = matmul(w, w.transpose(0, 1));
    EXPECT_FALSE(y.requires_grad());
    EXPECT_FALSE(split(w, 2, 0)[1].requires_grad());
    EXPECT_EQ(nodes_on_tape(), 0u);
  }
  EXPECT_TRUE(gelu(w).requires_grad());
  EXPECT_EQ(nodes_on_tape(), 1u);
  context().tape->nodes.clear();
}

TEST_P(AutogradTest, OpsOnConstantsRecordNothing) {
  const Tensor x = constant({4, 4});
  EXPECT_FALSE((gelu(x) + x).requires_grad());
  EXPECT_FALSE(leaf({4, 4}).detach().requires_grad());
  EXPECT_EQ(nodes_on_tape(), 0u);
}

TEST_P(AutogradTest, BackwardLeavesAnEmptyTapeAndRecordsNothing) {
  const Tensor w = leaf({4, 4});
  const Tensor unused = softmax(gelu(w));
  const Tensor loss = sum(gelu(matmul(w, w)));
  EXPECT_GT(nodes_on_tape(), 4u);
  loss.backward();
  EXPECT_EQ(nodes_on_tape(), 0u);
  EXPECT_TRUE(context().grad_enabled);
}

TEST_P(AutogradTest, WhatNoGradientReachesStaysUntouched) {
  const Tensor w = leaf({4, 4}), aside = leaf({4, 4}, 2);
  const Tensor unused = matmul(aside, w);
  EXPECT_FALSE(w.grad().defined());
  sum(w).backward();
  EXPECT_EQ(w.grad().to_vector<float>(), std::vector<float>(16, 1));
  EXPECT_FALSE(aside.grad().defined());
}

TEST_P(AutogradTest, DetachStopsTheGradient) {
  const Tensor w = leaf({4, 4});
  sum(w + gelu(w).detach()).backward();
  EXPECT_EQ(w.grad().to_vector<float>(), std::vector<float>(16, 1));
}

TEST_P(AutogradTest, FreesEveryStorageThatItHeld) {
  take_workspaces();
  const size_t before = heap(device()).bytes_in_use();
  size_t with_leaf = 0, forward = 0;
  {
    const Tensor w = leaf({64, 64});
    with_leaf = heap(device()).bytes_in_use();
    const Tensor loss = sum(layer_norm(gelu(matmul(w, w.transpose(0, 1))), leaf({64}), leaf({64}), 1e-5f));
    forward = heap(device()).bytes_in_use();
    loss.backward();
    // The leaf, its gradient and the loss are left.
    EXPECT_LE(heap(device()).bytes_in_use() - before, 2 * (with_leaf - before) + 3 * kAlignment);
  }
  EXPECT_GE(forward, with_leaf + 4 * 64 * 64 * sizeof(float));
  EXPECT_EQ(heap(device()).bytes_in_use(), before);
}

TEST_P(AutogradTest, BackwardFreesWhatItHasPassed) {
  take_workspaces();
  constexpr int kLayers = 16;
  constexpr size_t kBytes = 256 * 256 * sizeof(float);
  const Tensor w = leaf({256, 256});
  const size_t before = heap(device()).bytes_in_use();
  Tensor x = w;
  for (int i = 0; i < kLayers; ++i) x = gelu(x);
  const Tensor loss = sum(x);
  x = Tensor();
  heap(device()).reset_peak();
  EXPECT_GE(heap(device()).bytes_in_use(), before + kLayers * kBytes);
  loss.backward();
  // Beside the activations: the gradient that a node gets and the one it makes, and what `sum` multiplies by.
  EXPECT_LE(heap(device()).peak_bytes(), before + (kLayers + 4) * kBytes);
}

TEST_P(AutogradTest, BackwardSaysWhyItCannotStart) {
  const std::string not_computed = "backward: this tensor was not computed from one that requires a gradient";
  EXPECT_ERROR(constant({1}).backward(), not_computed);
  EXPECT_ERROR(Tensor().backward(), not_computed);
  EXPECT_ERROR(leaf({1}).backward(), not_computed);
  EXPECT_ERROR(gelu(constant({1})).backward(), not_computed);
  EXPECT_ERROR(gelu(leaf({2, 3})).backward(), "backward: expected one element, got shape (2, 3)");
  context().tape->nodes.clear();
}

// The first backward() has freed the graph: a second one, which could only give zeros, is an error.
TEST_P(AutogradTest, BackwardOnAGraphThatIsGoneIsAnError) {
  const Tensor w = leaf({4, 4});
  const Tensor first = sum(gelu(w)), second = sum(w);
  second.backward();
  EXPECT_ERROR(second.backward(), "backward: ");
  EXPECT_ERROR(first.backward(), "backward: ");
  EXPECT_EQ(w.grad().to_vector<float>(), std::vector<float>(16, 1));
}

TEST_P(AutogradTest, EveryThreadHasATapeOfItsOwn) {
  const Tensor w = leaf({4, 4});
  const Tensor loss = sum(w);
  const size_t nodes = nodes_on_tape();
  std::thread([&] {
    EXPECT_EQ(nodes_on_tape(), 0u);
    EXPECT_TRUE(context().grad_enabled);
    EXPECT_ERROR(loss.backward(), "backward: ");
  }).join();
  EXPECT_EQ(nodes_on_tape(), nodes);
  loss.backward();
}

// Notes what it is told.
struct Listener : BackwardObserver {
  bool begin() override {
    ++begins;
    return interested;
  }
  void leaf_done(Variable& leaf) override { done.push_back(&leaf); }
  void end() override { ++ends; }

  bool interested = true;
  int begins = 0, ends = 0;
  std::vector<const Variable*> done;
};
using Observe = Setting<BackwardObserver*, &Context::backward_observer>;

TEST_P(AutogradTest, TheObserverIsToldOfEachLeafAfterItsLastGradient) {
  struct : Listener {
    void leaf_done(Variable& leaf) override {
      Listener::leaf_done(leaf);
      const Tensor grad = leaf.grad;
      values.push_back(grad.to_vector<float>());
    }
    std::vector<std::vector<float>> values;
  } listener;
  const Observe observe(&listener);
  const Tensor first = leaf({4, 4}), tied = leaf({4, 4}, 2), last = leaf({4, 4}, 3);
  // `tied` is used by the first node and by the third, and twice by that.
  const Tensor x = matmul(tied, first);
  const Tensor y = gelu(matmul(matmul(tied, tied), x));
  sum(matmul(y, last)).backward();
  EXPECT_EQ(listener.done, (std::vector<const Variable*>{last.variable().get(), tied.variable().get(),
                                                         first.variable().get()}));
  EXPECT_EQ(listener.values, (std::vector{last.grad().to_vector<float>(), tied.grad().to_vector<float>(),
                                          first.grad().to_vector<float>()}));
  EXPECT_EQ(listener.begins, 1);
  EXPECT_EQ(listener.ends, 1);
}

TEST_P(AutogradTest, TheObserverIsToldOfLeavesThatNoGradientReaches) {
  Listener listener;
  const Observe observe(&listener);
  const Tensor w = leaf({4, 4}), aside = leaf({4, 4}, 2);
  const Tensor unused = matmul(aside, w);
  sum(w).backward();
  ASSERT_EQ(listener.done.size(), 2u);
  EXPECT_EQ(listener.done[1], w.variable().get());  // `unused` might have added to it
  EXPECT_FALSE(aside.grad().defined());
}

TEST_P(AutogradTest, AnObserverWithoutInterestIsToldNothing) {
  Listener listener;
  listener.interested = false;
  const Tensor w = leaf({4, 4});
  {
    const Observe observe(&listener);
    sum(w).backward();
  }
  sum(w).backward();  // unobserved
  EXPECT_EQ(listener.begins, 1);
  EXPECT_EQ(listener.ends, 0);
  EXPECT_TRUE(listener.done.empty());
}

INSTANTIATE_ON_EVERY_DEVICE(AutogradTest);

}  // namespace
}  // namespace gpt2::testing
