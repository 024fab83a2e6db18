#include "common/kernels/add_layer_norm.h"

#include "common/kernels/add.h"
#include "common/kernels/layer_norm.h"
#include "tests/common/oracle.h"
#include "tests/common/testing.h"

namespace gpt2::testing {
namespace {

constexpr float kEps = 1e-5f;

struct Shape {
  int64_t rows, C, branch_rows;
};
constexpr Shape kShapes[] = {{1, 2, 1},    {3, 7, 3},   {5, 31, 1},   {4, 33, 2},  {33, 127, 11},
                             {70, 48, 70}, {7, 768, 7}, {3, 1000, 1}, {129, 5, 43}};

struct Result {
  std::vector<float> sum, y, mean, rstd;
};

// What goes in, in types that the kernel has; the same for kernel and oracle.
template <class B, class Y, class X = float>
struct Inputs {
  std::vector<float> x, branch, weight, bias, dy, dsum;

  explicit Inputs(const Shape& shape, double low = -3, double high = 5)
      : x(representable<X>(uniform(shape.rows * shape.C, low, high))),
        branch(representable<B>(uniform(shape.branch_rows * shape.C, -2, 1, 2))),
        weight(representable<X>(uniform(shape.C, -1, 1, 3))),
        bias(representable<X>(uniform(shape.C, -1, 1, 4))),
        dy(representable<Y>(uniform(shape.rows * shape.C, -1, 1, 5))),
        dsum(representable<X>(uniform(shape.rows * shape.C, -1, 1, 6))) {}

  std::vector<float> sum() const {
    std::vector<float> result;
    for (size_t i = 0; i < x.size(); ++i) result.push_back(x[i] + branch[i % branch.size()]);
    return representable<X>(result);
  }
  oracle::LayerNorm expected() const {
    return oracle::layer_norm(to_double(sum()), to_double(weight), to_double(bias), kEps);
  }
  Values expected_dx(bool with_dsum) const {
    Values dx = oracle::layer_norm_backward(to_double(dy), to_double(sum()), to_double(weight), kEps).dx;
    for (size_t i = 0; i < dx.size() && with_dsum; ++i) dx[i] += double(dsum[i]);
    return dx;
  }
};

// body(X(), B(), Y()) for the types of the residual stream, of the branch and of the result.
template <class Body>
void for_types(const Body& body) {
  for_float_and_bf16([&](auto type) { body(float(0), type, type); });
  {
    SCOPED_TRACE("a float branch, a bf16 result");
    body(float(0), float(0), bf16(0));
  }
  SCOPED_TRACE("all bf16");
  body(bf16(0), bf16(0), bf16(0));
}

class AddLayerNormTest : public OnEveryDevice {
 protected:
  template <class B, class Y, class X>
  Result forward(const Inputs<B, Y, X>& in, const Shape& shape, bool in_place = false) {
    const int64_t rows = shape.rows, C = shape.C;
    DeviceArray<X> x(device(), as<X>(in.x)), weight(device(), as<X>(in.weight)),
        bias(device(), as<X>(in.bias));
    DeviceArray<B> branch(device(), as<B>(in.branch));
    DeviceArray<X> separate(device(), rows * C);
    DeviceArray<float> mean(device(), rows), rstd(device(), rows);
    DeviceArray<Y> y(device(), rows * C);
    DeviceArray<X>& sum = in_place ? x : separate;
    DISPATCH(device(), add_layer_norm_forward, sum.data(), y.data(), mean.data(), rstd.data(), x.data(),
             branch.data(), weight.data(), bias.data(), rows, C, shape.branch_rows, kEps);
    return {as<float>(sum.to_host()), as<float>(y.to_host()), mean.to_host(), rstd.to_host()};
  }

  struct Gradients {
    std::vector<float> dx, dbranch, dweight, dbias, branch_sum;
  };
  template <class B, class Y, class X>
  Gradients backward(const Inputs<B, Y, X>& in, const Shape& shape, bool with_dsum, bool with_dbranch,
                     bool in_place = false, bool with_sums = true) {
    const int64_t rows = shape.rows, C = shape.C;
    const Result saved = forward(in, shape);
    DeviceArray<X> sum(device(), as<X>(saved.sum)), weight(device(), as<X>(in.weight)),
        dsum(device(), as<X>(in.dsum)), separate(device(), rows * C);
    DeviceArray<float> mean(device(), saved.mean), rstd(device(), saved.rstd);
    DeviceArray<Y> dy(device(), as<Y>(in.dy)), dbranch(device(), rows * C);
    DeviceArray<X>& dx = in_place ? dsum : separate;
    Y* const no_dbranch = nullptr;
    const int64_t parts = DISPATCH_SIZE(device(), layer_norm_partial_sums, rows);
    DeviceArray<X> dweight(device(), C), dbias(device(), C);
    DeviceArray<float> branch_sums(device(), parts * C),
        workspace(device(), DISPATCH_SIZE(device(), layer_norm_backward_workspace, rows, C));
    DISPATCH(device(), add_layer_norm_backward, dx.data(), with_dbranch ? dbranch.data() : no_dbranch,
             dweight.data(), dbias.data(), with_sums ? branch_sums.data() : nullptr, dy.data(),
             with_dsum ? dsum.data() : nullptr, sum.data(), weight.data(), mean.data(), rstd.data(),
             workspace.data(), rows, C, 0.0f, 0.0f);
    std::vector<float> branch_sum(static_cast<size_t>(C));
    const std::vector<float> partial_sums = branch_sums.to_host();
    for (size_t i = 0; i < partial_sums.size(); ++i) branch_sum[i % size_t(C)] += partial_sums[i];
    return {as<float>(dx.to_host()), as<float>(dbranch.to_host()), as<float>(dweight.to_host()),
            as<float>(dbias.to_host()), branch_sum};
  }
};

TEST_P(AddLayerNormTest, AgreesWithTheDoubleOracle) {
  for_types([&](auto x, auto b, auto y) {
    using B = decltype(b);
    using Y = decltype(y);
    for (const auto& shape : kShapes) {
      const Inputs<B, Y, decltype(x)> in(shape);
      const Result actual = forward(in, shape);
      const auto expected = in.expected();
      EXPECT_EQ(actual.sum, in.sum()) << shape.rows << " x " << shape.C;
      EXPECT_LE(max_relative_error(actual.y, expected.y), 2e-6 + kRounding<Y>)
          << shape.rows << " x " << shape.C;
      EXPECT_LE(max_relative_error(actual.mean, expected.mean), 1e-6) << shape.rows << " x " << shape.C;
      EXPECT_LE(max_relative_error(actual.rstd, expected.rstd), 1e-6) << shape.rows << " x " << shape.C;
    }
  });
}

TEST_P(AddLayerNormTest, BackwardAgreesWithTheDoubleOracleWithAndWithoutWhatMayBeNull) {
  for_float_and_bf16([&](auto type) {
    using Y = decltype(type);
    for (const auto& shape : kShapes) {
      if (shape.C == 2) continue;  // dx is 0 but for eps: what is left of the cancellation is not comparable
      const Inputs<Y, Y> in(shape);
      for (const bool with_dsum : {false, true}) {
        const Values expected = in.expected_dx(with_dsum);
        for (const bool with_dbranch : {false, true}) {
          const auto [dx, dbranch, dweight, dbias, branch_sum] = backward(in, shape, with_dsum, with_dbranch);
          const auto weights =
              oracle::layer_norm_backward(to_double(in.dy), to_double(in.sum()), to_double(in.weight), kEps);
          EXPECT_LE(max_relative_error(dweight, weights.dweight), 2e-6) << shape.rows << " x " << shape.C;
          EXPECT_LE(max_relative_error(dbias, weights.dbias), 2e-6) << shape.rows << " x " << shape.C;
          const Values of_branch = oracle::sum_rows(to_double(representable<Y>(dx)), shape.C);
          EXPECT_LE(max_relative_error(branch_sum, of_branch), 2e-6) << shape.rows << " x " << shape.C;
          EXPECT_EQ(backward(in, shape, with_dsum, with_dbranch, false, false).dx, dx);
          EXPECT_LE(max_relative_error(dx, expected), 5e-6) << shape.rows << " x " << shape.C;
          if (with_dbranch) {
            EXPECT_EQ(dbranch, representable<Y>(dx)) << shape.rows << " x " << shape.C;
          } else {
            for (const float value : dbranch) ASSERT_TRUE(std::isnan(value));  // nobody wrote there
          }
        }
      }
    }
  });
}

// All in bf16: what is written is rounded once, and dx is the branch's gradient, too.
TEST_P(AddLayerNormTest, BackwardOfABf16StreamAgreesWithTheDoubleOracle) {
  for (const auto& shape : kShapes) {
    if (shape.C == 2) continue;  // as above
    const Inputs<bf16, bf16, bf16> in(shape);
    for (const bool with_dsum : {false, true}) {
      const auto [dx, dbranch, dweight, dbias, branch_sum] = backward(in, shape, with_dsum, false);
      const auto weights =
          oracle::layer_norm_backward(to_double(in.dy), to_double(in.sum()), to_double(in.weight), kEps);
      EXPECT_LE(max_relative_error(dx, in.expected_dx(with_dsum)), kRounding<bf16>)
          << shape.rows << " x " << shape.C;
      EXPECT_LE(max_relative_error(dweight, weights.dweight), kRounding<bf16>)
          << shape.rows << " x " << shape.C;
      EXPECT_LE(max_relative_error(dbias, weights.dbias), kRounding<bf16>) << shape.rows << " x " << shape.C;
      EXPECT_LE(max_relative_error(branch_sum, oracle::sum_rows(to_double(dx), shape.C)), 2e-6)
          << shape.rows << " x " << shape.C;
      for (const float value : dbranch) ASSERT_TRUE(std::isnan(value));  // nobody wrote there
    }
  }
}

TEST_P(AddLayerNormTest, StandsALargeMeanBesideASmallSpread) {
  const Shape shape{9, 768, 9};
  const Inputs<float, float> in(shape, 999, 1001);
  const Result actual = forward(in, shape);
  // Neighbouring floats near 1e3 are 6e-5 apart, so the mean, and with it y, is known to about 1e-4.
  EXPECT_LE(max_relative_error(actual.y, in.expected().y), 2e-4);
  EXPECT_LE(max_relative_error(actual.rstd, in.expected().rstd), 1e-5);
}

TEST_P(AddLayerNormTest, WorksInPlace) {
  for_float_and_bf16([&](auto type) {
    using Y = decltype(type);
    for (const auto& shape : {Shape{9, 127, 3}, Shape{9, 768, 9}}) {
      const Inputs<Y, Y> in(shape);
      const Result apart = forward(in, shape), together = forward(in, shape, true);
      EXPECT_EQ(together.sum, apart.sum);
      EXPECT_EQ(together.y, apart.y);
      EXPECT_EQ(backward(in, shape, true, true, true).dx, backward(in, shape, true, true).dx);
    }
  });
}

TEST_P(AddLayerNormTest, NanInARowSpoilsThatRowAlone) {
  const Shape shape{5, 33, 5};
  Inputs<bf16, bf16> in(shape);
  in.branch[2 * 33 + 5] = NAN;
  const Result actual = forward(in, shape);
  const auto dx = backward(in, shape, true, true).dx;
  for (size_t i = 0; i < actual.y.size(); ++i) {
    EXPECT_EQ(std::isnan(actual.y[i]), i / 33 == 2) << i;
    EXPECT_EQ(std::isnan(dx[i]), i / 33 == 2) << i;
  }
}

// The backward pass of 6,000 channels needs more than the 48 KB of shared memory that a block has without asking.
// There the oracle's pairs take too long: the fused kernel does what an addition and a LayerNorm do, and those have been
// compared with one.
TEST_P(AddLayerNormTest, OfLongRowsDoesWhatAnAdditionAndALayerNormDo) {
  for (const int64_t C : {1600, 3072, 6000}) {
    const Shape shape{9, C, 3};
    const int64_t rows = shape.rows;
    const Inputs<float, float> in(shape);
    DeviceArray<float> x(device(), in.x), branch(device(), in.branch), weight(device(), in.weight);
    DeviceArray<float> bias(device(), in.bias), sum(device(), rows * C), y(device(), rows * C);
    DeviceArray<float> mean(device(), rows), rstd(device(), rows), dy(device(), in.dy);
    DISPATCH(device(), add, sum.data(), x.data(), branch.data(), rows * C, shape.branch_rows * C);
    DISPATCH(device(), layer_norm_forward, y.data(), mean.data(), rstd.data(), sum.data(), weight.data(),
             bias.data(), rows, C, kEps);
    DeviceArray<float> dweight(device(), C), dbias(device(), C),
        workspace(device(), DISPATCH_SIZE(device(), layer_norm_backward_workspace, rows, C));
    DISPATCH(device(), layer_norm_backward, dy.data(), dweight.data(), dbias.data(), dy.data(), sum.data(),
             weight.data(), mean.data(), rstd.data(), workspace.data(), rows, C, 0.0f, 0.0f);
    const Result fused = forward(in, shape);
    EXPECT_EQ(fused.sum, sum.to_host()) << C;
    EXPECT_LE(max_relative_error(fused.y, y.to_host()), 1e-6) << C;
    EXPECT_LE(max_relative_error(fused.rstd, rstd.to_host()), 1e-6) << C;
    EXPECT_LE(max_relative_error(backward(in, shape, false, false, false, false).dx, dy.to_host()), 1e-6)
        << C;
    // The same in bf16, whose inputs are off by a rounding each.
    const Inputs<bf16, bf16> rounded(shape);
    EXPECT_LE(max_relative_error(forward(rounded, shape).y, y.to_host()), 3 * kRounding<bf16>) << C;
    EXPECT_LE(max_relative_error(backward(rounded, shape, false, true, false, C <= 4096).dx, dy.to_host()),
              3 * kRounding<bf16>)
        << C;
  }
}

// Tensors may be views that begin between two pieces.
TEST_P(AddLayerNormTest, MemoryMayBeginAnywhere) {
  const Shape shape{3, 68, 3};
  const Inputs<bf16, bf16> in(shape);
  const Result expected = forward(in, shape);
  const int64_t n = shape.rows * shape.C;
  for (const auto& [from, to] : {std::pair{1, 1}, {1, 3}, {0, 2}, {3, 0}}) {
    std::vector<float> x(size_t(from), 0), b = x;
    x.insert(x.end(), in.x.begin(), in.x.end());
    b.insert(b.end(), in.branch.begin(), in.branch.end());
    DeviceArray<float> input(device(), x), sum(device(), n + to), mean(device(), 3), rstd(device(), 3);
    DeviceArray<float> weight(device(), in.weight), bias(device(), in.bias);
    DeviceArray<bf16> branch(device(), as<bf16>(b)), y(device(), n + to);
    DISPATCH(device(), add_layer_norm_forward, sum.data() + to, y.data() + to, mean.data(), rstd.data(),
             input.data() + from, branch.data() + from, weight.data(), bias.data(), shape.rows, shape.C,
             shape.branch_rows, kEps);
    const auto all = as<float>(y.to_host());
    EXPECT_EQ(std::vector<float>(all.begin() + to, all.end()), expected.y) << from << " to " << to;
  }
}

TEST_P(AddLayerNormTest, GivesTheSameBitsEveryTime) {
  const Shape shape{301, 127, 43};
  const Inputs<float, float> in(shape);
  EXPECT_TRUE(gives_the_same_bits(device(), [&] { return forward(in, shape).y; }));
  EXPECT_TRUE(gives_the_same_bits(device(), [&] { return backward(in, shape, true, true).dx; }));
  EXPECT_TRUE(gives_the_same_bits(device(), [&] { return backward(in, shape, true, true).dweight; }));
  EXPECT_TRUE(gives_the_same_bits(device(), [&] { return backward(in, shape, true, true).dbias; }));
  EXPECT_TRUE(gives_the_same_bits(device(), [&] { return backward(in, shape, true, true).branch_sum; }));
}

INSTANTIATE_ON_EVERY_DEVICE(AddLayerNormTest);

}  // namespace
}  // namespace gpt2::testing
