#include "common/kernels/layer_norm.h"

#include "tests/common/oracle.h"
#include "tests/common/testing.h"

namespace gpt2::testing {
namespace {

constexpr float kEps = 1e-5f;

struct Result {
  std::vector<float> y, mean, rstd;
};

struct Gradients {
  std::vector<float> dx, dweight, dbias;
};

class LayerNormTest : public OnEveryDevice {
 protected:
  Result forward(const std::vector<float>& x, const std::vector<float>& weight,
                 const std::vector<float>& bias) {
    const auto C = static_cast<int64_t>(weight.size()), rows = static_cast<int64_t>(x.size()) / C;
    DeviceArray<float> in(device(), x), w(device(), weight), b(device(), bias);
    DeviceArray<float> y(device(), rows * C), mean(device(), rows), rstd(device(), rows);
    DISPATCH(device(), layer_norm_forward, y.data(), mean.data(), rstd.data(), in.data(), w.data(), b.data(),
             rows, C, kEps);
    return {y.to_host(), mean.to_host(), rstd.to_host()};
  }

  // With the old values of dweight and dbias, scaled by the betas.
  Gradients backward(const std::vector<float>& dy, const std::vector<float>& x,
                     const std::vector<float>& weight, const Gradients& old, float beta_w, float beta_b) {
    const auto C = static_cast<int64_t>(weight.size()), rows = static_cast<int64_t>(x.size()) / C;
    const Result saved = forward(x, weight, weight);
    DeviceArray<float> in(device(), x), w(device(), weight), gradient(device(), dy), dx(device(), rows * C);
    DeviceArray<float> mean(device(), saved.mean), rstd(device(), saved.rstd);
    DeviceArray<float> dweight(device(), old.dweight), dbias(device(), old.dbias);
    DeviceArray<float> workspace(device(), DISPATCH_SIZE(device(), layer_norm_backward_workspace, rows, C));
    DISPATCH(device(), layer_norm_backward, dx.data(), dweight.data(), dbias.data(), gradient.data(),
             in.data(), w.data(), mean.data(), rstd.data(), workspace.data(), rows, C, beta_w, beta_b);
    return {dx.to_host(), dweight.to_host(), dbias.to_host()};
  }
  // Overwrites: nothing of the old values, NaN here, may be left.
  Gradients backward(const std::vector<float>& dy, const std::vector<float>& x,
                     const std::vector<float>& weight) {
    const std::vector<float> nan(weight.size(), NAN);
    return backward(dy, x, weight, {{}, nan, nan}, 0, 0);
  }
};

struct Shape {
  int64_t rows, C;
};
constexpr Shape kShapes[] = {{1, 2},   {3, 7},   {5, 31},   {2, 33}, {33, 127},
                             {70, 48}, {7, 768}, {3, 1000}, {129, 5}};

TEST(LayerNormOracle, BackwardAgreesWithFiniteDifferences) {
  const Values x = to_double(uniform(3 * 7, -2, 2)), dy = to_double(uniform(3 * 7, -1, 1, 2));
  const Values weight = to_double(uniform(7, -1, 1, 3)), bias = to_double(uniform(7, -1, 1, 4));
  const auto loss = [&](const Values& at, const Values& w, const Values& b) {
    return dot(dy, oracle::layer_norm(at, w, b, kEps).y);
  };
  const auto dx = finite_differences([&](const Values& at) { return loss(at, weight, bias); }, x);
  const auto dweight = finite_differences([&](const Values& at) { return loss(x, at, bias); }, weight);
  const auto dbias = finite_differences([&](const Values& at) { return loss(x, weight, at); }, bias);
  const auto actual = oracle::layer_norm_backward(dy, x, weight, kEps);
  EXPECT_LE(max_relative_error(actual.dx, dx), 1e-8);
  EXPECT_LE(max_relative_error(actual.dweight, dweight), 1e-8);
  EXPECT_LE(max_relative_error(actual.dbias, dbias), 1e-8);
}

TEST_P(LayerNormTest, AgreesWithTheDoubleOracle) {
  for (const auto& shape : kShapes) {
    const auto x = uniform(shape.rows * shape.C, -3, 5);
    const auto weight = uniform(shape.C, -1, 1, 2), bias = uniform(shape.C, -1, 1, 3);
    const Result actual = forward(x, weight, bias);
    const auto expected = oracle::layer_norm(to_double(x), to_double(weight), to_double(bias), kEps);
    EXPECT_LE(max_relative_error(actual.y, expected.y), 2e-6) << shape.rows << " x " << shape.C;
    EXPECT_LE(max_relative_error(actual.mean, expected.mean), 1e-6) << shape.rows << " x " << shape.C;
    EXPECT_LE(max_relative_error(actual.rstd, expected.rstd), 1e-6) << shape.rows << " x " << shape.C;
  }
}

TEST_P(LayerNormTest, BackwardAgreesWithTheDoubleOracle) {
  for (const auto& shape : kShapes) {
    const auto x = uniform(shape.rows * shape.C, -3, 5), dy = uniform(shape.rows * shape.C, -1, 1, 2);
    const auto weight = uniform(shape.C, -1, 1, 3);
    const Gradients actual = backward(dy, x, weight);
    const auto expected = oracle::layer_norm_backward(to_double(dy), to_double(x), to_double(weight), kEps);
    // Of two columns dx is 0 but for eps: what is left of the cancellation is not comparable.
    if (shape.C > 2) {
      EXPECT_LE(max_relative_error(actual.dx, expected.dx), 5e-6) << shape.rows << " x " << shape.C;
    }
    EXPECT_LE(max_relative_error(actual.dweight, expected.dweight), 2e-6) << shape.rows << " x " << shape.C;
    EXPECT_LE(max_relative_error(actual.dbias, expected.dbias), 2e-6) << shape.rows << " x " << shape.C;
  }
}

TEST_P(LayerNormTest, StandsALargeMeanBesideASmallSpread) {
  // E[x^2] - mean^2 would lose everything here. Neighbouring floats near 1e3 are 6e-5 apart, so the mean, and
  // with it y, is known to about 1e-4.
  const auto x = uniform(9 * 768, 999, 1001), dy = uniform(9 * 768, -1, 1, 4);
  const auto weight = uniform(768, -1, 1, 2), bias = uniform(768, -1, 1, 3);
  const Result actual = forward(x, weight, bias);
  const auto expected = oracle::layer_norm(to_double(x), to_double(weight), to_double(bias), kEps);
  EXPECT_LE(max_relative_error(actual.y, expected.y), 2e-4);
  EXPECT_LE(max_relative_error(actual.rstd, expected.rstd), 1e-5);
  const auto gradients = oracle::layer_norm_backward(to_double(dy), to_double(x), to_double(weight), kEps);
  EXPECT_LE(max_relative_error(backward(dy, x, weight).dx, gradients.dx), 2e-4);
}

TEST_P(LayerNormTest, OfAConstantRowIsTheBias) {
  for (const int64_t C : {1, 33, 768}) {
    const std::vector<float> bias = uniform(C, -1, 1);
    EXPECT_EQ(forward(std::vector<float>(size_t(C), 0.5f), uniform(C, -1, 1, 2), bias).y, bias) << C;
  }
}

TEST_P(LayerNormTest, BackwardAddsToTheOldValuesTimesBeta) {
  const int64_t rows = 40, C = 33;
  const auto x = uniform(rows * C, -3, 5), dy = uniform(rows * C, -1, 1, 2), weight = uniform(C, -1, 1, 3);
  const Gradients old{{}, uniform(C, -9, 9, 4), uniform(C, -9, 9, 5)};
  const Gradients actual = backward(dy, x, weight, old, 1.0f, 0.5f);
  auto expected = oracle::layer_norm_backward(to_double(dy), to_double(x), to_double(weight), kEps);
  for (size_t j = 0; j < size_t(C); ++j) {
    expected.dweight[j] += old.dweight[j];
    expected.dbias[j] += 0.5 * old.dbias[j];
  }
  EXPECT_LE(max_relative_error(actual.dweight, expected.dweight), 2e-6);
  EXPECT_LE(max_relative_error(actual.dbias, expected.dbias), 2e-6);
}

TEST_P(LayerNormTest, BackwardWorksInPlace) {
  const int64_t rows = 9, C = 127;
  const auto x = uniform(rows * C, -3, 5), dy = uniform(rows * C, -1, 1, 2), weight = uniform(C, -1, 1, 3);
  const Result saved = forward(x, weight, weight);
  DeviceArray<float> in(device(), x), w(device(), weight), gradient(device(), dy);
  DeviceArray<float> mean(device(), saved.mean), rstd(device(), saved.rstd);
  DeviceArray<float> dweight(device(), C), dbias(device(), C),
      workspace(device(), DISPATCH_SIZE(device(), layer_norm_backward_workspace, rows, C));
  DISPATCH(device(), layer_norm_backward, gradient.data(), dweight.data(), dbias.data(), gradient.data(),
           in.data(), w.data(), mean.data(), rstd.data(), workspace.data(), rows, C, 0.0f, 0.0f);
  const Gradients apart = backward(dy, x, weight);
  EXPECT_EQ(gradient.to_host(), apart.dx);
  EXPECT_EQ(dweight.to_host(), apart.dweight);
  EXPECT_EQ(dbias.to_host(), apart.dbias);
}

TEST_P(LayerNormTest, GivesTheSameBitsEveryTime) {
  const int64_t rows = 301, C = 127;
  const auto x = uniform(rows * C, -3, 5), dy = uniform(rows * C, -1, 1, 2), weight = uniform(C, -1, 1, 3);
  EXPECT_TRUE(gives_the_same_bits(device(), [&] { return forward(x, weight, weight).y; }));
  EXPECT_TRUE(gives_the_same_bits(device(), [&] { return backward(dy, x, weight).dx; }));
  EXPECT_TRUE(gives_the_same_bits(device(), [&] { return backward(dy, x, weight).dweight; }));
  EXPECT_TRUE(gives_the_same_bits(device(), [&] { return backward(dy, x, weight).dbias; }));
}

INSTANTIATE_ON_EVERY_DEVICE(LayerNormTest);

}  // namespace
}  // namespace gpt2::testing
