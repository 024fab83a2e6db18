#include "common/kernels/adamw.h"

#include "tests/common/oracle.h"
#include "tests/common/testing.h"

namespace gpt2::testing {
namespace {

struct Hyperparameters {
  double lr, beta1, beta2, eps, weight_decay;
};
constexpr Hyperparameters kTorchDefaults{3e-4, 0.9, 0.999, 1e-8, 0.01};
constexpr Hyperparameters kGpt3{6e-4, 0.9, 0.95, 1e-8, 0.1};

AdamWStep step_at(const Hyperparameters& h, int t) {
  return {h.lr, h.beta1, h.beta2, h.eps, h.weight_decay, 1 - std::pow(h.beta1, t), 1 - std::pow(h.beta2, t)};
}

template <class Vector>
struct State {
  Vector w, m, v;
};

// Loshchilov & Hutter 2019, algorithm 2, lines 6 to 12.
void oracle_step(State<Values>& s, const Values& g, const Hyperparameters& h, int t) {
  for (size_t i = 0; i < g.size(); ++i) {
    s.m[i] = h.beta1 * s.m[i] + (1 - h.beta1) * g[i];
    s.v[i] = h.beta2 * s.v[i] + (1 - h.beta2) * g[i] * g[i];
    const double m_hat = s.m[i] / (1 - std::pow(h.beta1, t)), v_hat = s.v[i] / (1 - std::pow(h.beta2, t));
    s.w[i] -= h.lr * (m_hat / (std::sqrt(v_hat) + h.eps) + h.weight_decay * s.w[i]);
  }
}

class AdamWTest : public OnEveryDevice {
 protected:
  State<std::vector<float>> train(const std::vector<float>& w,
                                  const std::vector<std::vector<float>>& gradients,
                                  const Hyperparameters& h) {
    const auto n = static_cast<int64_t>(w.size());
    const std::vector<float> zero(w.size(), 0);
    DeviceArray<float> weights(device(), w), m(device(), zero), v(device(), zero);
    int t = 0;
    for (const auto& g : gradients) {
      DeviceArray<float> gradient(device(), g);
      DISPATCH(device(), adamw, weights.data(), gradient.data(), m.data(), v.data(), n, step_at(h, ++t));
    }
    return {weights.to_host(), m.to_host(), v.to_host()};
  }
};

std::vector<std::vector<float>> some_gradients(int64_t n, int steps, double scale) {
  std::vector<std::vector<float>> gradients;
  for (int t = 0; t < steps; ++t) gradients.push_back(uniform(n, -scale, scale, unsigned(t + 2)));
  return gradients;
}

TEST_P(AdamWTest, AgreesWithTheDoubleOracleOverSeveralSteps) {
  for (const auto& h : {kTorchDefaults, kGpt3}) {
    for (const int64_t n : {1, 7, 33, 1000, 50257}) {
      for (const double scale : {1e-6, 1.0, 1e4}) {
        const auto gradients = some_gradients(n, 5, scale);
        const auto w = uniform(n, -1, 1);
        State<Values> expected{to_double(w), Values(w.size()), Values(w.size())};
        int t = 0;
        for (const auto& g : gradients) oracle_step(expected, to_double(g), h, ++t);
        const auto actual = train(w, gradients, h);
        EXPECT_LE(max_relative_error(actual.w, expected.w), 1e-6) << n << " " << scale;
        EXPECT_LE(max_relative_error(actual.m, expected.m), 1e-6) << n << " " << scale;
        EXPECT_LE(max_relative_error(actual.v, expected.v), 1e-6) << n << " " << scale;
      }
    }
  }
}

TEST_P(AdamWTest, FirstStepMovesByTheLearningRateWhateverTheGradient) {
  const Hyperparameters no_decay{0.125, 0.9, 0.999, 1e-8, 0};
  const auto w = train({0, 0, 0, 0}, {{1e-3f, -1e-3f, 1e3f, -1e3f}}, no_decay).w;
  for (size_t i = 0; i < w.size(); ++i) EXPECT_NEAR(w[i], i % 2 ? 0.125 : -0.125, 3e-6) << i;
}

TEST_P(AdamWTest, WithoutGradientOnlyDecays) {
  const Hyperparameters h{0.1, 0.9, 0.999, 1e-8, 0.5};
  const auto state = train({1, -2}, {{0, 0}}, h);
  EXPECT_LE(max_relative_error(state.w, Values{0.95, -1.9}), 1e-7);
  EXPECT_EQ(state.m, (std::vector<float>{0, 0}));
  EXPECT_EQ(state.v, (std::vector<float>{0, 0}));
}

TEST_P(AdamWTest, NanReachesTheWeight) {
  const auto w = train({1, 1, 1}, {{1, NAN, 1}}, kTorchDefaults).w;
  EXPECT_FALSE(std::isnan(w[0]));
  EXPECT_TRUE(std::isnan(w[1]));
}

TEST_P(AdamWTest, GivesTheSameBitsEveryTime) {
  const auto gradients = some_gradients(50'003, 2, 1);
  const auto w = uniform(50'003, -1, 1);
  EXPECT_TRUE(gives_the_same_bits(device(), [&] { return train(w, gradients, kGpt3).w; }));
}

INSTANTIATE_ON_EVERY_DEVICE(AdamWTest);

}  // namespace
}  // namespace gpt2::testing
