#include "common/kernels/adamw.h"

#include <array>

#include "common/kernels/global_norm.h"
#include "common/kernels/stochastic_rounding.h"
#include "tests/common/oracle.h"
#include "tests/common/testing.h"

namespace gpt2::testing {
namespace {

struct Hyperparameters {
  double lr, beta1, beta2, eps, weight_decay;
};
constexpr Hyperparameters kTorchDefaults{3e-4, 0.9, 0.999, 1e-8, 0.01};
constexpr Hyperparameters kGpt3{6e-4, 0.9, 0.95, 1e-8, 0.1};

AdamWFactors factors_of(const Hyperparameters& h) { return {h.beta1, h.beta2, h.eps, h.weight_decay}; }

// AdamWState in memory that DeviceArray knows how to fill and to guard.
std::vector<double> state_at_start(double lr) {
  const AdamWState state{.lr = lr, .steps = 0, .decay = 0, .step_size = 0, .root_correction2 = 0};
  std::vector<double> memory(sizeof state / sizeof(double));
  std::memcpy(memory.data(), &state, sizeof state);
  return memory;
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
                                  const std::vector<std::vector<float>>& gradients, const Hyperparameters& h,
                                  int64_t decayed, float max_norm, bool with_copy = false) {
    const auto n = static_cast<int64_t>(w.size());
    const std::vector<float> zero(w.size(), 0);
    DeviceArray<float> weights(device(), w), m(device(), zero), v(device(), zero);
    DeviceArray<bf16> copy(device(), n);
    bf16* const no_copy = nullptr;
    DeviceArray<double> state_memory(device(), state_at_start(h.lr));
    DeviceArray<float> norm(device(), 1), sums(device(), norm_chunks(n));
    auto* state = reinterpret_cast<AdamWState*>(state_memory.data());
    for (const auto& g : gradients) {
      DeviceArray<float> gradient(device(), g);
      DISPATCH(device(), global_norm, norm.data(), gradient.data(), sums.data(), n);
      DISPATCH(device(), adamw_advance, state, factors_of(h));
      const AdamWBlock<float> block{.w = weights.data(),
                                    .low = with_copy ? copy.data() : no_copy,
                                    .g = gradient.data(),
                                    .m = m.data(),
                                    .v = v.data(),
                                    .n = n,
                                    .decayed = decayed};
      DISPATCH(device(), adamw, block, state, max_norm > 0 ? norm.data() : nullptr, max_norm, factors_of(h));
    }
    if (!with_copy && !gradients.empty()) {
      for (const bf16 value : copy.to_host()) EXPECT_TRUE(std::isnan(float(value)));
    }
    if (with_copy) {
      EXPECT_EQ(as<float>(copy.to_host()), representable<bf16>(weights.to_host()));
    }
    return {weights.to_host(), m.to_host(), v.to_host()};
  }
  State<std::vector<float>> train(const std::vector<float>& w,
                                  const std::vector<std::vector<float>>& gradients,
                                  const Hyperparameters& h) {
    return train(w, gradients, h, int64_t(w.size()), 0);
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

TEST_P(AdamWTest, WritesTheRoundedWeightsAsWell) {
  for (const int64_t n : {1, 7, 33, 50257}) {
    const auto gradients = some_gradients(n, 2, 1);
    const auto w = uniform(n, -1, 1);
    EXPECT_EQ(train(w, gradients, kGpt3, n / 2, 0.5f, true).w, train(w, gradients, kGpt3, n / 2, 0.5f).w)
        << n;
  }
}

// A step of bf16 weights: the update is that of float weights, and its result is rounded stochastically.
struct Bf16Weights {
  std::vector<float> master, low;
};

class AdamWBf16Test : public OnEveryDevice {
 protected:
  static constexpr uint64_t kSeed = 1337;

  // `steps` steps with the same gradient; w[0] is weight number `first`.
  Bf16Weights train(const std::vector<float>& w, const std::vector<float>& g, int steps, bool with_master,
                    int64_t decayed = 0, int64_t first = 0) {
    const auto n = static_cast<int64_t>(w.size());
    const std::vector<float> zero(w.size(), 0);
    DeviceArray<bf16> low(device(), as<bf16>(w)), gradient(device(), as<bf16>(g));
    DeviceArray<float> master(device(), representable<bf16>(w)), m(device(), zero), v(device(), zero);
    DeviceArray<double> state_memory(device(), state_at_start(kGpt3.lr));
    auto* state = reinterpret_cast<AdamWState*>(state_memory.data());
    const AdamWBlock<bf16> block{.w = with_master ? master.data() : nullptr,
                                 .low = low.data(),
                                 .g = gradient.data(),
                                 .m = m.data(),
                                 .v = v.data(),
                                 .n = n,
                                 .decayed = decayed,
                                 .seed = kSeed,
                                 .first = first};
    for (int step = 0; step < steps; ++step) {
      DISPATCH(device(), adamw_advance, state, factors_of(kGpt3));
      DISPATCH(device(), adamw, block, state, nullptr, 0.0f, factors_of(kGpt3));
    }
    return {master.to_host(), as<float>(low.to_host())};
  }
};

TEST_P(AdamWBf16Test, TheMasterWeightsAreThoseOfAFloatModelAndTheOthersTheirRoundedValues) {
  for (const int64_t n : {1, 7, 33, 1000, 50257}) {
    const auto w = representable<bf16>(uniform(n, -1, 1)), g = representable<bf16>(uniform(n, -1, 1, 2));
    State<Values> expected{to_double(w), Values(w.size()), Values(w.size())};
    const Hyperparameters no_decay{kGpt3.lr, kGpt3.beta1, kGpt3.beta2, kGpt3.eps, 0};
    State<Values> undecayed = expected;
    for (int t = 1; t <= 3; ++t) oracle_step(expected, to_double(g), kGpt3, t);
    for (int t = 1; t <= 3; ++t) oracle_step(undecayed, to_double(g), no_decay, t);
    std::copy(undecayed.w.begin() + n / 3, undecayed.w.end(), expected.w.begin() + n / 3);
    const Bf16Weights actual = train(w, g, 3, true, n / 3);
    EXPECT_LE(max_relative_error(actual.master, expected.w), 1e-6) << n;
    for (size_t i = 0; i < w.size(); ++i) {
      const uint32_t word = [&] {
        const PhiloxWords words = rounding_words(kSeed, 3, int64_t(i / 4 * 4));
        return std::array{words.a, words.b, words.c, words.d}[i % 4];
      }();
      ASSERT_EQ(actual.low[i], float(stochastically_rounded(actual.master[i], word))) << i << " of " << n;
    }
  }
}

// One step is the same with and without master weights: both start from bf16 values.
TEST_P(AdamWBf16Test, WithoutMasterWeightsUpdatesTheRoundedOnes) {
  for (const int64_t n : {1, 7, 33, 50257}) {
    const auto w = uniform(n, -1, 1), g = uniform(n, -1, 1, 2);
    EXPECT_EQ(train(w, g, 1, false).low, train(w, g, 1, true).low) << n;
    EXPECT_EQ(train(w, g, 1, false).master, representable<bf16>(w)) << n;  // not touched
  }
}

// Each of several ranks updates a part.
TEST_P(AdamWBf16Test, APartIsRoundedLikeTheWhole) {
  const auto w = uniform(1000, -1, 1), g = uniform(1000, -1, 1, 2);
  const std::vector<float> whole = train(w, g, 1, true).low;
  for (const long first : {4, 600, 996}) {
    const auto tail = [&](const std::vector<float>& x) { return std::vector(x.begin() + first, x.end()); };
    EXPECT_EQ(train(tail(w), tail(g), 1, true, 0, first).low, tail(whole)) << first;
  }
}

TEST_P(AdamWBf16Test, GivesTheSameBitsEveryTime) {
  const auto w = uniform(50'003, -1, 1), g = uniform(50'003, -1, 1, 2);
  EXPECT_TRUE(gives_the_same_bits(device(), [&] { return train(w, g, 2, true).low; }));
  EXPECT_TRUE(gives_the_same_bits(device(), [&] { return train(w, g, 2, false).low; }));
}

INSTANTIATE_ON_EVERY_DEVICE(AdamWBf16Test);

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

TEST_P(AdamWTest, OnlyTheFirstDecay) {
  const Hyperparameters h{0.1, 0.9, 0.999, 1e-8, 0.5};
  for (const int64_t decayed : {0, 1, 3, 6, 7}) {
    const auto w = train(std::vector<float>(7, 1), {std::vector<float>(7, 0)}, h, decayed, 0).w;
    for (int64_t i = 0; i < 7; ++i) EXPECT_NEAR(w[size_t(i)], i < decayed ? 0.95 : 1, 1e-7) << i;
  }
}

TEST_P(AdamWTest, AGradientLongerThanTheLimitCountsAsScaledDownToIt) {
  const auto w = uniform(1000, -1, 1), long_gradient = uniform(1000, -1, 1, 2);
  double squares = 0;
  for (const float g : long_gradient) squares += double(g) * double(g);
  std::vector<float> scaled;
  for (const float g : long_gradient) scaled.push_back(float(double(g) * 0.5 / (std::sqrt(squares) + 1e-6)));
  const auto clipped = train(w, {long_gradient, long_gradient}, kGpt3, 1000, 0.5f);
  const auto expected = train(w, {scaled, scaled}, kGpt3);
  EXPECT_LE(max_relative_error(clipped.m, expected.m), 1e-6);
  EXPECT_LE(max_relative_error(clipped.v, expected.v), 1e-6);
  EXPECT_LE(max_relative_error(clipped.w, expected.w), 1e-6);
  EXPECT_EQ(train(w, {scaled}, kGpt3, 1000, 0.6f).w, train(w, {scaled}, kGpt3).w);  // short enough
}

TEST_P(AdamWTest, TheNormIsThatOfAllValues) {
  for_float_and_bf16([&](auto type) {
    using G = decltype(type);
    for (const int64_t n : {1, 7, 1000, 16384, 50'257, 3'000'001}) {
      const auto x = representable<G>(uniform(n, -2, 2));
      double squares = 0;
      for (const float value : x) squares += double(value) * double(value);
      DeviceArray<G> in(device(), as<G>(x));
      DeviceArray<float> norm(device(), 1), sums(device(), norm_chunks(n));
      DISPATCH(device(), global_norm, norm.data(), in.data(), sums.data(), n);
      EXPECT_LE(max_relative_error(norm.to_host(), Values{std::sqrt(squares)}), 1e-6) << n;
    }
  });
}

// Each of several ranks sums up the chunks of its part.
TEST_P(AdamWTest, ChunksOfAPartHaveTheSumsOfTheWhole) {
  const int64_t n = 5 * kNormChunk + 77;
  const auto x = uniform(n, -2, 2);
  DeviceArray<float> in(device(), x), whole(device(), norm_chunks(n)), parts(device(), norm_chunks(n));
  DISPATCH(device(), sum_squares, whole.data(), in.data(), n);
  for (const auto& [begin, end] : {std::pair<int64_t, int64_t>{0, 2}, {2, 3}, {3, 6}}) {
    DISPATCH(device(), sum_squares, parts.data() + begin, in.data() + begin * kNormChunk,
             std::min(n, end * kNormChunk) - begin * kNormChunk);
  }
  EXPECT_EQ(parts.to_host(), whole.to_host());
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
