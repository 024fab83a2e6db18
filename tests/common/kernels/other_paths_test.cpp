// Sizes and places at which kernels go another way than in their own tests: lists longer than a tile, rows
// longer than the shared memory, more rows than one chunk or one grid, memory that begins between two 16-byte
// pieces.
#include <algorithm>

#include "common/kernels/add.h"
#include "common/kernels/copy.h"
#include "common/kernels/cross_entropy.h"
#include "common/kernels/embedding.h"
#include "common/kernels/gelu.h"
#include "common/kernels/layer_norm.h"
#include "common/kernels/softmax.h"
#include "common/kernels/sum_rows.h"
#include "tests/common/oracle.h"
#include "tests/common/testing.h"

namespace gpt2::testing {
namespace {

constexpr float kEps = 1e-5f;

class OtherPathsTest : public OnEveryDevice {};

TEST_P(OtherPathsTest, EmbeddingBackwardAddsUpAListOfManyTiles) {
  const int64_t n = 5000, vocab = 300, C = 260;
  Ids ids(static_cast<size_t>(n), 7);  // a third of them the same, and gaps without a 7
  for (int64_t i = 0; i < n; ++i) {
    if (i % 3 != 0 || i < 2000) ids[size_t(i)] = int32_t(i * 131 % vocab);
  }
  const auto dy = uniform(n * C, -1, 1);
  std::vector<double> expected(static_cast<size_t>(vocab * C));
  for (int64_t i = 0; i < n * C; ++i)
    expected[size_t(ids[size_t(i / C)] * C + i % C)] += double(dy[size_t(i)]);
  DeviceArray<int32_t> index(device(), ids);
  DeviceArray<float> gradient(device(), dy), dtable(device(), vocab * C);
  DeviceArray<float> workspace(device(), DISPATCH_SIZE(device(), embedding_backward_workspace, n, vocab, C));
  DISPATCH(device(), embedding_backward, dtable.data(), index.data(), gradient.data(), workspace.data(), n,
           vocab, C, 0.0f);
  EXPECT_LE(max_relative_error(dtable.to_host(), expected), 1e-6);
}

struct Statistics {
  double mean, rstd;
};

Statistics statistics(const float* row, int64_t C) {
  double mean = 0, squares = 0;
  for (int64_t i = 0; i < C; ++i) mean += double(row[i]) / double(C);
  for (int64_t i = 0; i < C; ++i) squares += (double(row[i]) - mean) * (double(row[i]) - mean);
  return {mean, 1 / std::sqrt(squares / double(C) + double(kEps))};
}

// The backward pass of 6,000 channels needs more than the 48 KB of shared memory that a block has without asking.
TEST_P(OtherPathsTest, LayerNormOfLongRows) {
  for (const int64_t C : {1600, 3072, 6000}) {
    const int64_t rows = 9;
    const auto x = uniform(rows * C, -3, 5), w = uniform(C, -1, 1, 2), b = uniform(C, -1, 1, 3);
    const auto dy = uniform(rows * C, -1, 1, 4);
    std::vector<double> expected_y, expected_dx;
    for (int64_t row = 0; row < rows; ++row) {
      const float *in = &x[size_t(row * C)], *out = &dy[size_t(row * C)];
      const Statistics s = statistics(in, C);
      double mean_g = 0, mean_g_x_hat = 0;
      const auto x_hat = [&](int64_t i) { return (double(in[i]) - s.mean) * s.rstd; };
      const auto g = [&](int64_t i) { return double(out[i]) * double(w[size_t(i)]); };
      for (int64_t i = 0; i < C; ++i) {
        expected_y.push_back(x_hat(i) * double(w[size_t(i)]) + double(b[size_t(i)]));
        mean_g += g(i) / double(C);
        mean_g_x_hat += g(i) * x_hat(i) / double(C);
      }
      for (int64_t i = 0; i < C; ++i)
        expected_dx.push_back(s.rstd * (g(i) - mean_g - x_hat(i) * mean_g_x_hat));
    }
    DeviceArray<float> in(device(), x), weight(device(), w), bias(device(), b), gradient(device(), dy);
    DeviceArray<float> y(device(), rows * C), dx(device(), rows * C), mean(device(), rows),
        rstd(device(), rows);
    DISPATCH(device(), layer_norm_forward, y.data(), mean.data(), rstd.data(), in.data(), weight.data(),
             bias.data(), rows, C, kEps);
    DeviceArray<float> dw(device(), C), db(device(), C),
        workspace(device(), DISPATCH_SIZE(device(), layer_norm_backward_workspace, rows, C));
    DISPATCH(device(), layer_norm_backward, dx.data(), dw.data(), db.data(), gradient.data(), in.data(),
             weight.data(), mean.data(), rstd.data(), workspace.data(), rows, C, 0.0f, 0.0f);
    EXPECT_LE(max_relative_error(y.to_host(), expected_y), 2e-6) << C;
    EXPECT_LE(max_relative_error(dx.to_host(), expected_dx), 5e-6) << C;
  }
}

// Thousands of rows are summed in several chunks, whose sums are then added.
TEST_P(OtherPathsTest, ColumnSumsOfManyRows) {
  const int64_t rows = 2001, C = 133;
  const auto x = uniform(rows * C, -3, 5), dy = uniform(rows * C, -1, 1, 2);
  std::vector<double> sums(static_cast<size_t>(C)), weighted(static_cast<size_t>(C));
  std::vector<float> means, rstds;
  for (int64_t row = 0; row < rows; ++row) {
    const Statistics s = statistics(&x[size_t(row * C)], C);
    means.push_back(float(s.mean));
    rstds.push_back(float(s.rstd));
    for (int64_t i = 0; i < C; ++i) {
      sums[size_t(i)] += double(dy[size_t(row * C + i)]);
      weighted[size_t(i)] +=
          double(dy[size_t(row * C + i)]) * (double(x[size_t(row * C + i)]) - s.mean) * s.rstd;
    }
  }
  DeviceArray<float> in(device(), x), gradient(device(), dy), mean(device(), means), rstd(device(), rstds);
  DeviceArray<float> dweight(device(), C), dbias(device(), C), y(device(), C), dx(device(), rows * C),
      weight(device(), std::vector<float>(size_t(C), 1));
  DeviceArray<float> layer_norm_space(device(),
                                      DISPATCH_SIZE(device(), layer_norm_backward_workspace, rows, C));
  DeviceArray<float> sum_space(device(), DISPATCH_SIZE(device(), sum_rows_workspace, rows, C));
  DISPATCH(device(), layer_norm_backward, dx.data(), dweight.data(), dbias.data(), gradient.data(), in.data(),
           weight.data(), mean.data(), rstd.data(), layer_norm_space.data(), rows, C, 0.0f, 0.0f);
  DISPATCH(device(), sum_rows, y.data(), gradient.data(), sum_space.data(), rows, C, 0.0f);
  EXPECT_LE(max_relative_error(dweight.to_host(), weighted), 2e-6);
  EXPECT_LE(max_relative_error(dbias.to_host(), sums), 2e-6);
  EXPECT_LE(max_relative_error(y.to_host(), sums), 2e-6);
}

// 65,535 is the most that a CUDA grid has in y.
TEST_P(OtherPathsTest, AddRepeatsMoreOftenThanAGridIsHigh) {
  const int64_t period = 3, n = period * 70'001;
  const auto a = uniform(n, -1, 1), b = uniform(period, -1, 1, 2);
  std::vector<double> expected;
  for (int64_t i = 0; i < n; ++i) expected.push_back(double(a[size_t(i)] + b[size_t(i % period)]));
  DeviceArray<float> left(device(), a), right(device(), b), y(device(), n);
  DISPATCH(device(), add, y.data(), left.data(), right.data(), n, period);
  EXPECT_EQ(max_relative_error(y.to_host(), expected), 0);
}

// Rows of GPT-2's vocabulary begin at all four places between two 16-byte pieces.
TEST_P(OtherPathsTest, CrossEntropyOverTheVocabulary) {
  const int64_t rows = 4, V = 50257;
  const auto logits = uniform(rows * V, -5, 5);
  const Ids targets{0, 50256, 1234, 50255};
  std::vector<double> expected;
  double expected_loss = 0;
  for (int64_t row = 0; row < rows; ++row) {
    const float* at = &logits[size_t(row * V)];
    double sum = 0;
    for (int64_t i = 0; i < V; ++i) sum += std::exp(double(at[i]));
    const int32_t target = targets[size_t(row)];
    expected_loss += (std::log(sum) - double(at[target])) / double(rows);
    for (int64_t i = 0; i < V; ++i) {
      expected.push_back((std::exp(double(at[i])) / sum - (i == target)) * 3 / double(rows));
    }
  }
  DeviceArray<float> in(device(), logits), loss(device(), 1), losses(device(), rows), lse(device(), rows);
  DeviceArray<float> dloss(device(), std::vector<float>{3});
  DeviceArray<int32_t> index(device(), targets);
  DISPATCH(device(), cross_entropy_forward, loss.data(), losses.data(), lse.data(), in.data(), index.data(),
           rows, V);
  DISPATCH(device(), cross_entropy_backward, in.data(), in.data(), lse.data(), index.data(), dloss.data(),
           rows, V);
  EXPECT_LE(max_relative_error(loss.to_host(), Values{expected_loss}), 1e-6);
  EXPECT_LE(max_relative_error(in.to_host(), expected), 1e-6);
}

// Tensors may be views: `from` floats into one buffer, `to` floats into the other.
TEST_P(OtherPathsTest, MemoryMayBeginAnywhere) {
  const int64_t rows = 3, C = 68, n = rows * C;
  for (const auto& [from, to] : {std::pair{1, 1}, {1, 3}, {0, 2}, {3, 0}}) {
    const auto x = uniform(n + from, -3, 3), ones = std::vector<float>(size_t(C), 1);
    const Values in(x.begin() + from, x.end());
    DeviceArray<float> input(device(), x), y(device(), n + to), weight(device(), ones), bias(device(), ones);
    DeviceArray<float> mean(device(), rows), rstd(device(), rows);
    const auto error = [&, to = to](const Values& expected) {
      const std::vector<float> all = y.to_host();
      return max_relative_error(std::vector<float>(all.begin() + to, all.end()), expected);
    };
    DISPATCH(device(), gelu_forward, y.data() + to, input.data() + from, n);
    EXPECT_LE(error(oracle::gelu(in)), 2e-6) << from << " to " << to;
    DISPATCH(device(), softmax_forward, y.data() + to, input.data() + from, rows, C);
    EXPECT_LE(error(oracle::softmax(in, C)), 2e-6) << from << " to " << to;
    DISPATCH(device(), layer_norm_forward, y.data() + to, mean.data(), rstd.data(), input.data() + from,
             weight.data(), bias.data(), rows, C, kEps);
    EXPECT_LE(error(oracle::layer_norm(in, Values(size_t(C), 1), Values(size_t(C), 1), double(kEps)).y), 2e-6)
        << from << " to " << to;
  }
}

// The same of bf16, of which eight make a piece.
TEST_P(OtherPathsTest, MemoryOfBf16MayBeginAnywhere) {
  const int64_t n = 1001;
  for (const auto& [from, to] : {std::pair{1, 1}, {1, 3}, {0, 2}, {7, 0}, {4, 4}}) {
    const auto x = representable<bf16>(uniform(n + from, -3, 3));
    const Values in(x.begin() + from, x.end());
    DeviceArray<bf16> input(device(), as<bf16>(x)), y(device(), n + to);
    DeviceArray<float> wide(device(), n + to);
    DISPATCH(device(), gelu_forward, y.data() + to, input.data() + from, n);
    const std::vector<float> all = as<float>(y.to_host());
    EXPECT_LE(max_relative_error(std::vector<float>(all.begin() + to, all.end()), oracle::gelu(in)),
              kRounding<bf16> + 1e-6)
        << from << " to " << to;
    const Dims4 shape{1, 1, 1, n}, strides{n, n, n, 1};
    DISPATCH(device(), copy_strided, wide.data() + to, input.data() + from, shape, strides, strides);
    const std::vector<float> widened = wide.to_host();
    EXPECT_EQ(max_relative_error(std::vector<float>(widened.begin() + to, widened.end()), in), 0);
    DISPATCH(device(), copy_strided, y.data() + to, wide.data() + to, shape, strides, strides);
    const std::vector<float> narrow = as<float>(y.to_host());
    EXPECT_EQ(max_relative_error(std::vector<float>(narrow.begin() + to, narrow.end()), in), 0);
  }
}

INSTANTIATE_ON_EVERY_DEVICE(OtherPathsTest);

}  // namespace
}  // namespace gpt2::testing
