#include "common/kernels/flash_attention.h"

#include <iterator>

#include "tests/common/attention_oracle.h"
#include "tests/common/testing.h"

namespace gpt2::testing {
namespace {

constexpr int64_t kLengths[] = {1, 2, 17, 63, 64, 65, 129, 300};
constexpr int64_t kHeadSizes[] = {32, 64, 80, 96, 128};
constexpr int64_t kBatch = 2, kHeads = 3;

// Where heads lie in a packed (B, T, 3C) buffer that is a view into something wider: there are NaNs between
// its rows and between its sequences.
struct Layout {
  int64_t T, hs;
  int64_t start = 0;  // of the first row, in elements: 1 is an address that no wide load takes
  int64_t gap = 8;    // between two rows

  int64_t row_stride() const { return 3 * kHeads * hs + gap; }
  int64_t batch_stride() const { return (T + 1) * row_stride(); }
  int64_t size() const { return start + kBatch * batch_stride(); }
  AttentionShape shape() const { return {kBatch, kHeads, T, hs, float(1 / std::sqrt(double(hs)))}; }

  template <class T_>
  HeadsView<T_> view(T_* data, int64_t third) const {
    return {data + start + third * kHeads * hs, batch_stride(), hs, row_stride()};
  }
  // body(index in the buffer, index in (B, heads, T, hs))
  template <class Body>
  void for_each(int64_t third, const Body& body) const {
    size_t dense = 0;
    for (int64_t b = 0; b < kBatch; ++b) {
      for (int64_t h = 0; h < kHeads; ++h) {
        for (int64_t t = 0; t < T; ++t) {
          for (int64_t c = 0; c < hs; ++c, ++dense) {
            body(size_t(start + b * batch_stride() + t * row_stride() + (third * kHeads + h) * hs + c),
                 dense);
          }
        }
      }
    }
  }
};

// The values that go in, rounded to E, (B, heads, T, hs) each.
template <class E>
struct Inputs {
  Layout layout;
  std::vector<float> qkv[3], dy;

  Inputs(const Layout& at, double range = 1, double v_range = 1) : layout(at) {
    const int64_t n = kBatch * kHeads * layout.T * layout.hs;
    for (unsigned i = 0; i < 3; ++i) qkv[i] = rounded(uniform(n, -1, 1, i + 1), i < 2 ? range : v_range);
    dy = rounded(uniform(n, -1, 1, 4), 1);
  }
  static std::vector<float> rounded(std::vector<float> values, double factor) {
    for (float& value : values) value = float(E(value * float(factor)));
    return values;
  }
  oracle::AttentionInputs in_double() const {
    return {to_double(qkv[0]), to_double(qkv[1]), to_double(qkv[2]),
            layout.T,          layout.hs,         layout.shape().scale};
  }
};

// Of the kernels, each (B, heads, T, hs); log_sum_exp: (B, heads, T).
struct Outputs {
  std::vector<float> y, log_sum_exp, dq, dk, dv;

  std::vector<float> joined() const {
    std::vector<float> all;
    for (const auto* part : {&y, &log_sum_exp, &dq, &dk, &dv})
      all.insert(all.end(), part->begin(), part->end());
    return all;
  }
};

// Puts dense values into thirds of the buffer, reads them back, and sees that nothing else was written.
template <class E>
class PackedArray {
 public:
  PackedArray(Device device, const Layout& layout, const std::vector<const std::vector<float>*>& thirds)
      : layout_(layout), array_(device, packed(layout, thirds)) {}

  HeadsView<E> view(int64_t third) { return layout_.view(array_.data(), third); }
  HeadsView<const E> const_view(int64_t third) { return layout_.view<const E>(array_.data(), third); }

  std::vector<float> third(int64_t index) const {
    std::vector<float> dense(size_t(kBatch * kHeads * layout_.T * layout_.hs));
    const std::vector<E> values = array_.to_host();
    layout_.for_each(index, [&](size_t at, size_t i) { dense[i] = float(values[at]); });
    return dense;
  }
  // Outside the first `thirds` thirds there is still what was there: NaN.
  void expect_untouched_outside(int64_t thirds) const {
    std::vector<E> values = array_.to_host();
    for (int64_t i = 0; i < thirds; ++i) layout_.for_each(i, [&](size_t at, size_t) { values[at] = nan(); });
    EXPECT_TRUE(std::all_of(values.begin(), values.end(), [](E value) { return std::isnan(float(value)); }));
  }

 private:
  static E nan() { return std::numeric_limits<float>::quiet_NaN(); }
  static std::vector<E> packed(const Layout& layout, const std::vector<const std::vector<float>*>& thirds) {
    std::vector<E> values(size_t(layout.size()), nan());
    for (size_t third = 0; third < thirds.size(); ++third) {
      layout.for_each(int64_t(third), [&](size_t at, size_t i) { values[at] = (*thirds[third])[i]; });
    }
    return values;
  }

  Layout layout_;
  DeviceArray<E> array_;
};

// max |a - b| / max |terms|, NaN if there is one.
double error_beside(const std::vector<float>& actual, const Values& expected, const Values& terms) {
  double error = 0, largest = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    const double difference = std::abs(actual[i] - expected[i]);
    if (!(difference <= error)) error = difference;
    if (std::isnan(error)) return error;
    largest = std::max(largest, terms[i]);
  }
  return error / largest;
}

class FlashAttentionTest : public OnEveryDevice {
 protected:
  template <class E>
  Outputs run(const Inputs<E>& in) {
    const Layout& layout = in.layout;
    const AttentionShape shape = layout.shape();
    PackedArray<E> qkv(device(), layout, {&in.qkv[0], &in.qkv[1], &in.qkv[2]}),
        dy(device(), layout, {&in.dy});
    PackedArray<E> y(device(), layout, {}), gradients(device(), layout, {});
    DeviceArray<float> log_sum_exp(device(), kBatch * kHeads * layout.T);
    DeviceArray<float> workspace(device(), DISPATCH_SIZE(device(), flash_attention_workspace, shape));
    const auto q = qkv.const_view(0), k = qkv.const_view(1), v = qkv.const_view(2);
    DISPATCH(device(), flash_attention_forward, y.view(0), log_sum_exp.data(), q, k, v, shape);
    DISPATCH(device(), flash_attention_backward, gradients.view(0), gradients.view(1), gradients.view(2),
             dy.const_view(0), y.const_view(0), log_sum_exp.data(), q, k, v, workspace.data(), shape);
    y.expect_untouched_outside(1);
    gradients.expect_untouched_outside(3);
    return {y.third(0), log_sum_exp.to_host(), gradients.third(0), gradients.third(1), gradients.third(2)};
  }

  template <class E>
  void expect_agreement(const Inputs<E>& in, double forward_error, double backward_error) {
    const auto expected = in.in_double();
    const auto gradients = oracle::attention_backward(expected, to_double(in.dy));
    const Outputs out = run(in);
    EXPECT_LE(max_relative_error(out.y, oracle::attention(expected)), forward_error);
    EXPECT_LE(max_relative_error(out.log_sum_exp, oracle::attention_log_sum_exp(expected)), 1e-5);
    EXPECT_LE(max_relative_error(out.dv, gradients.dv), backward_error);
    EXPECT_LE(error_beside(out.dq, gradients.dq, gradients.dq_terms), backward_error);
    EXPECT_LE(error_beside(out.dk, gradients.dk, gradients.dk_terms), backward_error);
  }
};

// bf16: the results are rounded once, to 2^-9 of their value; probabilities and gradients of scores may be
// rounded on their way into a product, and y is read back rounded, each 2^-9 of its own and partly
// cancelling.
constexpr double kForward = 3e-6, kBackward = 3e-6, kForwardBf16 = 0x1p-8, kBackwardBf16 = 0x1p-8;

TEST(AttentionOracle, BackwardAgreesWithFiniteDifferences) {
  const int64_t T = 5, hs = 3, n = 2 * T * hs;
  const Values dy = to_double(uniform(n, -1, 1, 4));
  oracle::AttentionInputs in{to_double(uniform(n, -2, 2, 1)),
                             to_double(uniform(n, -2, 2, 2)),
                             to_double(uniform(n, -2, 2, 3)),
                             T,
                             hs,
                             0.7};
  const auto gradients = oracle::attention_backward(in, dy);
  const auto differences = [&](Values oracle::AttentionInputs::*member) {
    const auto loss = [&](const Values& at) {
      oracle::AttentionInputs moved = in;
      moved.*member = at;
      return dot(dy, oracle::attention(moved));
    };
    return finite_differences(loss, in.*member);
  };
  EXPECT_LE(max_relative_error(gradients.dq, differences(&oracle::AttentionInputs::q)), 1e-8);
  EXPECT_LE(max_relative_error(gradients.dk, differences(&oracle::AttentionInputs::k)), 1e-8);
  EXPECT_LE(max_relative_error(gradients.dv, differences(&oracle::AttentionInputs::v)), 1e-8);
}

TEST_P(FlashAttentionTest, AgreesWithTheDoubleOracleAtEveryLength) {
  for (const int64_t T : kLengths) {
    SCOPED_TRACE(T);
    expect_agreement(Inputs<float>({T, 64}, 3), kForward, kBackward);
    expect_agreement(Inputs<bf16>({T, 64}, 3), kForwardBf16, kBackwardBf16);
  }
}

TEST_P(FlashAttentionTest, AgreesWithTheDoubleOracleAtEveryHeadSize) {
  for (const int64_t hs : kHeadSizes) {
    SCOPED_TRACE(hs);
    for (const int64_t T : {3, 70, 129}) {
      expect_agreement(Inputs<float>({T, hs}, 3), kForward, kBackward);
      expect_agreement(Inputs<bf16>({T, hs}, 3), kForwardBf16, kBackwardBf16);
    }
  }
}

// 64 KB a block. The executor takes the variable as the GPU that it is to be; a real GPU ignores it.
TEST_P(FlashAttentionTest, FloatFitsIntoTheSharedMemoryOfAGpuBeforeAmpere) {
  setenv("EXECUTOR_CAPABILITY", "75", 1);
  for (const int64_t hs : kHeadSizes) {
    SCOPED_TRACE(hs);
    expect_agreement(Inputs<float>({70, hs}, 3), kForward, kBackward);
  }
  unsetenv("EXECUTOR_CAPABILITY");
}

// Rows that no wide load can read.
TEST_P(FlashAttentionTest, TakesViewsThatBeginAnywhere) {
  for (const Layout layout : {Layout{70, 64, 1, 8}, Layout{70, 80, 0, 3}, Layout{70, 32, 4, 4}}) {
    SCOPED_TRACE(layout.start);
    expect_agreement(Inputs<float>(layout, 3), kForward, kBackward);
    expect_agreement(Inputs<bf16>(layout, 3), kForwardBf16, kBackwardBf16);
  }
}

TEST_P(FlashAttentionTest, ScoresUpToAHundredAgreeWithTheDoubleOracle) {
  const Layout layout{129, 64};
  expect_agreement(Inputs<float>(layout, 8), 2e-5, 2e-5);
  expect_agreement(Inputs<bf16>(layout, 8), kForwardBf16, kBackwardBf16);
}

// Scores around -300, whose exponentials are 0 in float. Before they are scaled they are -2400, which floats
// next to one another there are 2e-4 apart.
template <class E>
Inputs<E> very_negative(const Layout& layout) {
  Inputs<E> in(layout);
  for (size_t row = 0; row < in.dy.size(); row += size_t(layout.hs)) {
    in.qkv[0][row] = 48;
    in.qkv[1][row] = -50;
  }
  return in;
}

TEST_P(FlashAttentionTest, VeryNegativeScoresAgreeWithTheDoubleOracle) {
  const Layout layout{70, 64};
  expect_agreement(very_negative<float>(layout), 2e-4, 2e-4);
  expect_agreement(very_negative<bf16>(layout), kForwardBf16, kBackwardBf16);
}

TEST_P(FlashAttentionTest, LaterKeysAndValuesDoNotMatter) {
  const Layout layout{129, 32};
  for (const int64_t t : {0, 40, 64, 100}) {
    Inputs<bf16> in(layout, 3);
    const std::vector<float> before = run(in).y;
    for (size_t i = 0; i < before.size(); ++i) {
      if (int64_t(i) / layout.hs % layout.T > t) in.qkv[1][i] = in.qkv[2][i] = 7;
    }
    const std::vector<float> after = run(in).y;
    size_t changed = 0;
    for (size_t i = 0; i < before.size(); ++i) {
      if (int64_t(i) / layout.hs % layout.T > t) {
        changed += before[i] != after[i];
      } else {
        ASSERT_EQ(before[i], after[i]) << t << " " << i;
      }
    }
    EXPECT_GT(changed, before.size() / 10);
  }
}

TEST_P(FlashAttentionTest, ANanInAQueryStaysInItsRow) {
  const Layout layout{70, 32};
  Inputs<float> in(layout);
  const size_t row = size_t(layout.T + 5);  // of the second head
  in.qkv[0][row * size_t(layout.hs) + 3] = NAN;
  const Outputs out = run(in);
  for (size_t i = 0; i < out.y.size(); ++i) {
    EXPECT_EQ(std::isnan(out.y[i]), i / size_t(layout.hs) == row) << i;
    EXPECT_EQ(std::isnan(out.dq[i]), i / size_t(layout.hs) == row) << i;
  }
}

TEST_P(FlashAttentionTest, GivesTheSameBitsEveryTime) {
  const Inputs<float> in({129, 80}, 3);
  EXPECT_TRUE(gives_the_same_bits(device(), [&] { return run(in).joined(); }));
  const Inputs<bf16> in_bf16({129, 80}, 3);
  EXPECT_TRUE(gives_the_same_bits(device(), [&] { return run(in_bf16).joined(); }));
}

TEST_P(FlashAttentionTest, SaysWhichHeadSizesItHasKernelsFor) {
  for (int64_t hs = 0; hs < 300; ++hs) {
    const bool expected = std::find(std::begin(kHeadSizes), std::end(kHeadSizes), hs) != std::end(kHeadSizes);
    EXPECT_EQ(DISPATCH_SIZE(device(), flash_attention_supports, hs), expected) << hs;
  }
}

INSTANTIATE_ON_EVERY_DEVICE(FlashAttentionTest);

}  // namespace
}  // namespace gpt2::testing
