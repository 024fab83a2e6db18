#include "common/kernels/cross_entropy.h"

#include "tests/common/oracle.h"
#include "tests/common/testing.h"

namespace gpt2::testing {
namespace {

struct Result {
  float loss;
  std::vector<float> losses, log_sum_exp;
};

class CrossEntropyTest : public OnEveryDevice {
 protected:
  Result forward(const std::vector<float>& logits, const Ids& targets) {
    const auto rows = static_cast<int64_t>(targets.size()), V = static_cast<int64_t>(logits.size()) / rows;
    DeviceArray<float> x(device(), logits), loss(device(), 1), losses(device(), rows), sums(device(), rows);
    DeviceArray<int32_t> ids(device(), targets);
    DISPATCH(device(), cross_entropy_forward, loss.data(), losses.data(), sums.data(), x.data(), ids.data(),
             rows, V);
    return {loss.to_host()[0], losses.to_host(), sums.to_host()};
  }
  std::vector<float> backward(const std::vector<float>& logits, const Ids& targets, float dloss,
                              bool in_place) {
    const auto rows = static_cast<int64_t>(targets.size()), V = static_cast<int64_t>(logits.size()) / rows;
    DeviceArray<float> x(device(), logits), sums(device(), forward(logits, targets).log_sum_exp);
    DeviceArray<float> gradient(device(), std::vector<float>{dloss}), separate(device(), rows * V);
    DeviceArray<int32_t> ids(device(), targets);
    DeviceArray<float>& dlogits = in_place ? x : separate;
    DISPATCH(device(), cross_entropy_backward, dlogits.data(), x.data(), sums.data(), ids.data(),
             gradient.data(), rows, V);
    return dlogits.to_host();
  }
};

// The first and the last column among them.
Ids some_targets(int64_t rows, int64_t V) {
  Ids targets;
  for (const float value : uniform(rows, 0, double(V), 7)) targets.push_back(int32_t(value));
  targets.back() = int32_t(V - 1);
  targets.front() = 0;
  return targets;
}

struct Shape {
  int64_t rows, V;
};
constexpr Shape kShapes[] = {{1, 1},    {3, 2},    {7, 7},    {33, 31},  {5, 33},
                             {17, 127}, {129, 40}, {9, 1000}, {3, 50257}};

TEST(CrossEntropyOracle, BackwardAgreesWithFiniteDifferences) {
  const Values logits = to_double(uniform(5 * 11, -4, 4));
  const Ids targets = some_targets(5, 11);
  const auto loss = [&](const Values& at) { return 1.7 * oracle::cross_entropy(at, targets).loss; };
  const Values dlogits = oracle::cross_entropy_backward(logits, targets, 1.7);
  EXPECT_LE(max_relative_error(dlogits, finite_differences(loss, logits)), 1e-8);
}

TEST_P(CrossEntropyTest, AgreesWithTheDoubleOracle) {
  for (const auto& shape : kShapes) {
    for (const double range : {1.0, 80.0}) {
      const auto logits = uniform(shape.rows * shape.V, -range, range);
      const Ids targets = some_targets(shape.rows, shape.V);
      const Result actual = forward(logits, targets);
      const auto expected = oracle::cross_entropy(to_double(logits), targets);
      // The loss of a row is a difference of numbers as large as the logits.
      const double tolerance = 1e-6 * std::max(1.0, range);
      EXPECT_NEAR(actual.loss, expected.loss, tolerance) << shape.rows << " x " << shape.V;
      for (size_t row = 0; row < targets.size(); ++row) {
        EXPECT_NEAR(actual.losses[row], expected.losses[row], tolerance + 1e-6 * expected.losses[row]) << row;
        EXPECT_NEAR(actual.log_sum_exp[row], expected.log_sum_exp[row],
                    tolerance + 1e-6 * std::abs(expected.log_sum_exp[row]))
            << row;
      }
    }
  }
}

TEST_P(CrossEntropyTest, BackwardAgreesWithTheDoubleOracleInPlaceOrNot) {
  for (const auto& shape : kShapes) {
    if (shape.V == 1) continue;  // the gradient is 0: see below
    for (const double range : {1.0, 80.0}) {
      const auto logits = uniform(shape.rows * shape.V, -range, range);
      const Ids targets = some_targets(shape.rows, shape.V);
      const auto expected = oracle::cross_entropy_backward(to_double(logits), targets, -0.7f);
      // exp(logit - log_sum_exp): an error of 1e-6 * 80 in the exponent is a relative one in the result.
      const double tolerance = 1e-6 * std::max(2.0, range / 4);
      for (const bool in_place : {false, true}) {
        EXPECT_LE(max_relative_error(backward(logits, targets, -0.7f, in_place), expected), tolerance)
            << shape.rows << " x " << shape.V << ", logits up to " << range;
      }
    }
  }
}

TEST_P(CrossEntropyTest, OfOneClassIsZero) {
  EXPECT_EQ(forward({3, -4}, {0, 0}).loss, 0);
  EXPECT_EQ(backward({3, -4}, {0, 0}, 1, false), (std::vector<float>{0, 0}));
}

TEST_P(CrossEntropyTest, OfEqualLogitsIsTheLogarithmOfTheirNumber) {
  const std::vector<float> equal(2 * 50257, 1000.0f);
  EXPECT_NEAR(forward(equal, {3, 50256}).loss, std::log(50257.0), 1e-4);  // floats near 1000 are 6e-5 apart
  const std::vector<float> zero(2 * 50257, 0.0f);
  EXPECT_NEAR(forward(zero, {3, 50256}).loss, std::log(50257.0), 2e-6);
}

TEST_P(CrossEntropyTest, ALogitOfMinusInfinityHasNoProbabilityAndNoGradient) {
  const std::vector<float> logits{1, -INFINITY, 2};
  const double loss = std::log(std::exp(1.0) + std::exp(2.0)) - 2;
  EXPECT_NEAR(forward(logits, {2}).loss, loss, 1e-6);
  EXPECT_EQ(backward(logits, {2}, 1, false)[1], 0);
}

TEST_P(CrossEntropyTest, NanInTheLogitsReachesTheLoss) {
  for (const size_t where : {size_t{0}, size_t{500}, size_t{2999}}) {
    std::vector<float> logits = uniform(3 * 1000, -1, 1);
    logits[where] = NAN;
    EXPECT_TRUE(std::isnan(forward(logits, {1, 2, 3}).loss)) << where;
  }
}

TEST_P(CrossEntropyTest, GivesTheSameBitsEveryTime) {
  const std::vector<float> logits = uniform(65 * 1003, -4, 4);
  const Ids targets = some_targets(65, 1003);
  EXPECT_TRUE(gives_the_same_bits(device(), [&] { return std::vector{forward(logits, targets).loss}; }));
  EXPECT_TRUE(gives_the_same_bits(device(), [&] { return backward(logits, targets, 1, false); }));
}

INSTANTIATE_ON_EVERY_DEVICE(CrossEntropyTest);

}  // namespace
}  // namespace gpt2::testing
