#include "common/kernels/fused_cross_entropy.h"

#include "tests/common/oracle.h"
#include "tests/common/testing.h"

namespace gpt2::testing {
namespace {

struct Result {
  float loss;
  std::vector<float> losses, gradient;
};

// (rows, Vp) logits of which V columns count.
struct Shape {
  int64_t rows, V, Vp;
};
constexpr Shape kShapes[] = {{1, 1, 1},         {3, 2, 2},        {7, 7, 8},       {33, 31, 33},
                             {5, 33, 40},       {17, 127, 127},   {9, 1000, 1024}, {5, 257, 384},
                             {2, 50257, 50257}, {2, 50257, 50304}};

class ClassifierTest : public OnEveryDevice {
 protected:
  template <class T = float>
  Result forward(const std::vector<float>& logits, const Ids& targets, const Shape& shape) {
    DeviceArray<T> x(device(), as<T>(logits));
    DeviceArray<float> loss(device(), 1), losses(device(), shape.rows);
    DeviceArray<int32_t> ids(device(), targets);
    DISPATCH(device(), fused_cross_entropy_forward, loss.data(), losses.data(), x.data(), ids.data(),
             shape.rows, shape.V, shape.Vp);
    return {loss.to_host()[0], losses.to_host(), {}};
  }
  // `start` values lie before the logits.
  template <class T = float>
  Result gradient(const std::vector<float>& logits, const Ids& targets, const Shape& shape, int start = 0) {
    DeviceArray<T> x(device(), as<T>(logits));
    DeviceArray<float> loss(device(), 1), losses(device(), shape.rows);
    DeviceArray<int32_t> ids(device(), targets);
    DISPATCH(device(), fused_cross_entropy_gradient, loss.data(), losses.data(), x.data() + start, ids.data(),
             shape.rows, shape.V, shape.Vp);
    return {loss.to_host()[0], losses.to_host(), as<float>(x.to_host())};
  }
  template <class T = float>
  std::vector<float> backward(const std::vector<float>& logits, const Ids& targets, const Shape& shape) {
    return gradient<T>(logits, targets, shape).gradient;
  }
};

// The first and the last column among them.
Ids some_targets(const Shape& shape) {
  Ids targets;
  for (const float value : uniform(shape.rows, 0, double(shape.V), 7)) targets.push_back(int32_t(value));
  targets.back() = int32_t(shape.V - 1);
  targets.front() = 0;
  return targets;
}

// Uniform logits that T can hold, NaN in the padding.
template <class T>
std::vector<float> some_logits(const Shape& shape, double range) {
  auto logits = representable<T>(uniform(shape.rows * shape.Vp, -range, range));
  for (int64_t i = 0; i < int64_t(logits.size()); ++i) {
    if (i % shape.Vp >= shape.V) logits[size_t(i)] = NAN;
  }
  return logits;
}

TEST_P(ClassifierTest, AgreesWithTheDoubleOracleAndDoesNotSeeThePadding) {
  for_float_and_bf16([&](auto type) {
    using T = decltype(type);
    for (const auto& shape : kShapes) {
      for (const double range : {1.0, 80.0}) {
        const auto logits = some_logits<T>(shape, range);
        const Ids targets = some_targets(shape);
        const Result actual = forward<T>(logits, targets, shape);
        const Values seen = oracle::without_padding(to_double(logits), shape.V, shape.Vp);
        const auto expected = oracle::cross_entropy(seen, targets);
        const double tolerance =
            1e-6 * std::max(1.0, range / 4);  // floats near 160, a loss, are 1.5e-5 apart
        EXPECT_NEAR(actual.loss, expected.loss, tolerance) << shape.rows << " x " << shape.V;
        for (size_t row = 0; row < targets.size(); ++row) {
          EXPECT_NEAR(actual.losses[row], expected.losses[row], tolerance) << row;
        }
        const Result together = gradient<T>(logits, targets, shape);  // the gradient changes no loss
        EXPECT_EQ(together.loss, actual.loss);
        EXPECT_EQ(together.losses, actual.losses);
      }
    }
  });
}

TEST_P(ClassifierTest, BackwardAgreesWithTheDoubleOracleAndFillsThePaddingWithZeros) {
  for_float_and_bf16([&](auto type) {
    using T = decltype(type);
    for (const auto& shape : kShapes) {
      if (shape.V == 1) continue;  // the gradient is 0: see below
      for (const double range : {1.0, 80.0}) {
        const auto logits = some_logits<T>(shape, range);
        const Ids targets = some_targets(shape);
        const Values seen = oracle::without_padding(to_double(logits), shape.V, shape.Vp);
        const Values dlogits = oracle::cross_entropy_backward(seen, targets, 1);
        const auto actual = backward<T>(logits, targets, shape);
        EXPECT_LE(max_relative_error(actual, oracle::with_padding(dlogits, shape.V, shape.Vp)),
                  3e-6 + kRounding<T>)
            << shape.rows << " x " << shape.V << ", logits up to " << range;
        for (int64_t i = 0; i < int64_t(actual.size()); ++i) {
          if (i % shape.Vp >= shape.V) {
            ASSERT_EQ(actual[size_t(i)], 0) << i;
          }
        }
      }
    }
  });
}

// A gradient in bf16 is rounded once, at the target too, where 1 is subtracted from a probability near 1.
TEST_P(ClassifierTest, SubtractsAtTheTargetBeforeItRounds) {
  const Shape shape{1, 3, 3};
  const std::vector<float> logits{8, 0, 0};
  const double rest = 2 * std::exp(-8.0), expected = -rest / (1 + rest);
  EXPECT_NEAR(backward<bf16>(logits, {0}, shape)[0] / expected, 1, kRounding<bf16> + 2e-4);
}

TEST_P(ClassifierTest, OfOneClassIsZero) {
  const Shape shape{2, 1, 3};
  EXPECT_EQ(forward({3, 9, 9, -4, 9, 9}, {0, 0}, shape).loss, 0);
  EXPECT_EQ(backward({3, 9, 9, -4, 9, 9}, {0, 0}, shape), std::vector<float>(6, 0.0f));
}

TEST_P(ClassifierTest, OfEqualLogitsIsTheLogarithmOfTheirNumber) {
  const Shape shape{2, 50257, 50304};
  for (const float value : {0.0f, 1000.0f, -1000.0f}) {
    const std::vector<float> equal(size_t(shape.rows * shape.Vp), value);
    EXPECT_NEAR(forward(equal, {3, 50256}, shape).loss, std::log(50257.0), 2e-6) << value;
    EXPECT_NEAR(forward<bf16>(equal, {3, 50256}, shape).loss, std::log(50257.0), 2e-6) << value;
  }
}

// Each block of the row is larger than what has been summed so far, which is scaled down every time.
TEST_P(ClassifierTest, OfLogitsThatGrowAndShrinkAlongTheRow) {
  const Shape shape{2, 50257, 50257};
  std::vector<float> logits;
  for (int64_t i = 0; i < shape.V; ++i) logits.push_back(float(i) / 100 - 250);
  for (int64_t i = 0; i < shape.V; ++i) logits.push_back(250 - float(i) / 100);
  const Ids targets{50256, 20};
  const auto expected = oracle::cross_entropy(to_double(logits), targets);
  const Result actual = forward(logits, targets, shape);
  EXPECT_LE(max_relative_error(actual.losses, expected.losses), 2e-5);  // floats near 250 are 1.5e-5 apart
  EXPECT_LE(max_relative_error(backward(logits, targets, shape),
                               oracle::cross_entropy_backward(to_double(logits), targets, 1)),
            2e-5);
}

TEST_P(ClassifierTest, ALogitOfMinusInfinityHasNoProbabilityAndNoGradient) {
  const Shape shape{1, 3, 3};
  const std::vector<float> logits{-INFINITY, 1, 2};
  EXPECT_NEAR(forward(logits, {2}, shape).loss, std::log(std::exp(1.0) + std::exp(2.0)) - 2, 1e-6);
  EXPECT_EQ(backward(logits, {2}, shape)[0], 0);
}

TEST_P(ClassifierTest, NanInARowReachesTheLossAndSpoilsThatRowAlone) {
  for_float_and_bf16([&](auto type) {
    using T = decltype(type);
    const Shape shape{3, 1001, 1003};
    for (const int64_t column : {0L, 500L, 1000L}) {
      std::vector<float> logits = uniform(shape.rows * shape.Vp, -1, 1);
      logits[size_t(shape.Vp + column)] = NAN;
      EXPECT_TRUE(std::isnan(forward<T>(logits, {1, 2, 3}, shape).loss)) << column;
      const auto dlogits = backward<T>(logits, {1, 2, 3}, shape);
      for (int64_t i = 0; i < int64_t(dlogits.size()); ++i) {
        const bool spoilt = i / shape.Vp == 1 && i % shape.Vp < shape.V;
        ASSERT_EQ(std::isnan(dlogits[size_t(i)]), spoilt) << i;
      }
    }
  });
}

// Rows of a view may begin at every place of a piece, and what lies before and behind them stays as it was.
TEST_P(ClassifierTest, MemoryMayBeginAnywhere) {
  for_float_and_bf16([&](auto type) {
    using T = decltype(type);
    const Shape shape{3, 67, 72};
    const auto logits = some_logits<T>(shape, 5);
    const Ids targets = some_targets(shape);
    const auto expected = backward<T>(logits, targets, shape);
    for (const int start : {1, 2, 3, 7}) {
      std::vector<float> shifted(size_t(start), 0.5f);
      shifted.insert(shifted.end(), logits.begin(), logits.end());
      const auto y = gradient<T>(shifted, targets, shape, start).gradient;
      EXPECT_EQ(std::vector<float>(y.begin(), y.begin() + start), std::vector<float>(size_t(start), 0.5f));
      EXPECT_LE(max_relative_error(std::vector<float>(y.begin() + start, y.end()), expected),
                1e-6 + kRounding<T>)
          << start;
    }
  });
}

TEST_P(ClassifierTest, GivesTheSameBitsEveryTime) {
  const Shape shape{65, 5003, 5003};
  const auto logits = uniform(shape.rows * shape.Vp, -4, 4);
  const Ids targets = some_targets(shape);
  for_float_and_bf16([&](auto type) {
    using T = decltype(type);
    EXPECT_TRUE(
        gives_the_same_bits(device(), [&] { return std::vector{forward<T>(logits, targets, shape).loss}; }));
    EXPECT_TRUE(gives_the_same_bits(device(), [&] { return backward<T>(logits, targets, shape); }));
  });
}

INSTANTIATE_ON_EVERY_DEVICE(ClassifierTest);

}  // namespace
}  // namespace gpt2::testing
