#include "common/ops/dropout.h"

#include "common/ops/autograd.h"
#include "common/tensor/cuda_graph.h"
#include "tests/common/files.h"
#include "tests/common/ops/op_checks.h"

namespace gpt2::testing {
namespace {

class DropoutOp : public OnEveryDevice {
 protected:
  Tensor ones(const Shape& shape) const {
    return from_vector(std::vector<float>(size_t(numel(shape)), 1), shape, device());
  }
  // What one call under a new guard makes of ones.
  std::vector<float> first_mask(const DropoutMasks& masks, int64_t n = 999) const {
    const Dropout on(masks);
    return dropout(ones({n})).to_vector<float>();
  }
};

TEST_P(DropoutOp, WithoutAGuardOrWithPZeroItIsTheTensorItself) {
  const Tensor x = ones({3, 5}).set_requires_grad();
  const auto expect_itself = [&] {
    const Tensor y = dropout(x.transpose(0, 1));  // not even made contiguous
    EXPECT_EQ(y.storage(), x.storage());
    EXPECT_EQ(y.strides(), x.transpose(0, 1).strides());
    EXPECT_EQ(dropout(x).variable(), x.variable());
  };
  expect_itself();
  const DropoutMasks none(0, 1, device()), some(0.5, 1, device());
  {
    const Dropout on(none);
    expect_itself();
  }
  {
    const Dropout on(some);
    EXPECT_NE(dropout(x).storage(), x.storage());
    const Dropout off(none);
    expect_itself();
  }
  expect_itself();
  context().tape->nodes.clear();
}

TEST_P(DropoutOp, TheGradientIsTheMaskOverOneMinusP) {
  const DropoutMasks masks(0.25, 7, device());
  const std::vector<float> mask = first_mask(masks, 3 * 5 * 7);
  EXPECT_TRUE(std::all_of(mask.begin(), mask.end(), [](float m) { return m == 0 || m == float(1 / 0.75); }));
  const auto op = [&](const std::vector<Tensor>& in) {
    const Dropout on(masks);  // gone before backward()
    return dropout(in[0]);
  };
  const auto oracle = [&](const std::vector<Values>& in) {
    Values y;
    for (size_t i = 0; i < in[0].size(); ++i) y.push_back(in[0][i] * (mask[i] == 0 ? 0 : 1 / 0.75));
    return y;
  };
  expect_agrees_with_oracle(device(), {random_input({3, 5, 7}, 1)}, op, oracle);
}

TEST_P(DropoutOp, ReadsStridedViews) {
  const DropoutMasks masks(0.25, 7, device());
  const std::vector<float> mask = first_mask(masks, 15);
  const auto op = [&](const std::vector<Tensor>& in) {
    const Dropout on(masks);
    return dropout(in[0].transpose(0, 1)).transpose(0, 1);  // and so is dy
  };
  const auto oracle = [&](const std::vector<Values>& in) {
    Values y = oracle::transpose(in[0], 5, 3);
    for (size_t i = 0; i < y.size(); ++i) y[i] *= mask[i] == 0 ? 0 : 1 / 0.75;
    return oracle::transpose(y, 3, 5);
  };
  expect_agrees_with_oracle(device(), {random_input({5, 3}, 1)}, op, oracle);
}

TEST_P(DropoutOp, KeepsBf16) {
  const DropoutMasks masks(0.5, 7, device());
  const Tensor x = from_vector(uniform(101, 1, 2), {101}, device()).set_requires_grad();
  const std::vector<float> mask = first_mask(masks, 101);
  const Dropout on(masks);
  const Tensor y = dropout(x.to(DType::bf16));
  EXPECT_EQ(y.dtype(), DType::bf16);
  weighted_sum(y.to(DType::f32), std::vector<float>(101, 1)).backward();
  EXPECT_EQ(x.grad().to_vector<float>(), mask);
}

TEST_P(DropoutOp, EachCallIsASiteAndEachGuardBeginsAnew) {
  const DropoutMasks masks(0.5, 7, device());
  const auto two_sites = [&] {
    const Dropout on(masks);
    const Tensor x = ones({999});
    const std::vector<float> first = dropout(x).to_vector<float>();
    return std::pair(first, dropout(x).to_vector<float>());
  };
  const auto masks_of_guard = two_sites();
  EXPECT_NE(masks_of_guard.first, masks_of_guard.second);
  EXPECT_EQ(two_sites(), masks_of_guard);
}

TEST_P(DropoutOp, TheSameDrawIsTheSameMask) {
  DropoutMasks masks(0.5, 7, device());
  const std::vector<float> first = first_mask(masks);
  masks.set_draw((int64_t{1} << 32) + 5);
  const std::vector<float> second = first_mask(masks);
  EXPECT_NE(second, first);
  masks.set_draw(5);
  EXPECT_NE(first_mask(masks), second);
  masks.set_draw(0);
  EXPECT_EQ(first_mask(masks), first);
  EXPECT_EQ(first_mask(DropoutMasks(0.5, 7, device())), first);
  EXPECT_NE(first_mask(DropoutMasks(0.5, 8, device())), first);
}

TEST_P(DropoutOp, BothProcessorsDropTheSame) {
  EXPECT_EQ(first_mask(DropoutMasks(0.3, 7, device()), 4099), [] {
    const DropoutMasks masks(0.3, 7, kCpu);
    const Dropout on(masks);
    return dropout(from_vector(std::vector<float>(4099, 1), {4099})).to_vector<float>();
  }());
}

TEST_P(DropoutOp, BackwardOutlivesGuardAndMasks) {
  const Tensor x = ones({999}).set_requires_grad();
  Tensor y;
  {
    const DropoutMasks masks(0.5, 7, device());
    const Dropout on(masks);
    y = dropout(x);
  }
  const Tensor taker = ones({2});  // of memory that has been given back
  weighted_sum(y, std::vector<float>(999, 1)).backward();
  EXPECT_EQ(x.grad().to_vector<float>(), y.to_vector<float>());
}

TEST_P(DropoutOp, DropsUnderNoGradAndRecordsNothing) {
  const DropoutMasks masks(0.5, 7, device());
  const std::vector<float> mask = first_mask(masks);
  const Tensor x = ones({999}).set_requires_grad();
  const NoGrad no_grad;
  const Dropout on(masks);
  const Tensor y = dropout(x);
  EXPECT_FALSE(y.requires_grad());
  EXPECT_EQ(y.to_vector<float>(), mask);
}

// Forward and backward, recorded once: each replay drops what its draw says.
TEST_P(DropoutOp, ACudaGraphIsReplayedWithTheNextDraw) {
  if (!device().is_cuda()) GTEST_SKIP() << "a CPU has no graphs";
  DropoutMasks masks(0.5, 7, device());
  const Tensor x = ones({999}).set_requires_grad(), dy = ones({999, 1});
  const Tensor value = empty({999}, device()), gradient = empty({999}, device());
  const auto step = [&] {
    const Dropout on(masks);
    const Tensor y = dropout(x);
    matmul(y.view({1, 999}), dy).backward();
    copy_(value, y);
    copy_(gradient, x.grad());
    x.variable()->stale = true;  // the next step overwrites it
  };
  step();
  const CudaGraph graph(device(), step);
  std::vector<std::vector<float>> seen;
  for (const int64_t draw : {0, 1, 2}) {
    masks.set_draw(draw);
    graph.replay();
    const std::vector<float> mask = value.to_vector<float>();
    EXPECT_EQ(mask, first_mask(masks));
    EXPECT_EQ(gradient.to_vector<float>(), mask);
    EXPECT_EQ(std::count(seen.begin(), seen.end(), mask), 0);
    seen.push_back(mask);
  }
}

INSTANTIATE_ON_EVERY_DEVICE(DropoutOp);

TEST(DropoutMasksTest, NameWhatIsWrong) {
  for (const double p : {-0.1, 1.0, 1.5}) EXPECT_ERROR(DropoutMasks(p, 1, kCpu), "dropout: p is ");
  EXPECT_ERROR(DropoutMasks(NAN, 1, kCpu), "dropout: p is nan; expected 0 <= p < 1");
  const DropoutMasks masks(0.5, 1, kMeta);
  const Dropout on(masks);
  EXPECT_ERROR(dropout(empty({3})), "dropout: x is on cpu but the masks are on meta");
}

TEST(DropoutMasksTest, TheMetaDeviceHasShapesAndNoValues) {
  DropoutMasks masks(0.5, 1, kMeta);
  masks.set_draw(1);
  const Dropout on(masks);
  const Tensor x = empty({3, 5}, kMeta).set_requires_grad();
  const Tensor y = dropout(x.transpose(0, 1));
  EXPECT_EQ(y.shape(), (Shape{5, 3}));
  matmul(y.view({1, 15}), empty({15, 1}, kMeta)).backward();
  EXPECT_EQ(x.grad().shape(), (Shape{3, 5}));
}

}  // namespace
}  // namespace gpt2::testing
