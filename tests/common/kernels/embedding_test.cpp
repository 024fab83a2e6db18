#include "common/kernels/embedding.h"

#include "tests/common/oracle.h"
#include "tests/common/testing.h"

namespace gpt2::testing {
namespace {

class EmbeddingTest : public OnEveryDevice {
 protected:
  template <class T = float>
  std::vector<float> forward(const std::vector<float>& table, const Ids& ids, int64_t C) {
    const auto n = static_cast<int64_t>(ids.size());
    DeviceArray<T> rows(device(), as<T>(table)), y(device(), n * C);
    DeviceArray<int32_t> index(device(), ids);
    DISPATCH(device(), embedding_forward, y.data(), rows.data(), index.data(), n, C);
    return as<float>(y.to_host());
  }
  template <class T = float>
  std::vector<float> backward(const Ids& ids, const std::vector<float>& dy, const std::vector<float>& old,
                              int64_t C, float beta) {
    DeviceArray<T> dtable(device(), as<T>(old)), gradient(device(), as<T>(dy));
    DeviceArray<int32_t> index(device(), ids);
    const auto n = static_cast<int64_t>(ids.size()), vocab = static_cast<int64_t>(old.size()) / C;
    DeviceArray<float> workspace(device(),
                                 DISPATCH_SIZE(device(), embedding_backward_workspace, n, vocab, C));
    DISPATCH(device(), embedding_backward, dtable.data(), index.data(), gradient.data(), workspace.data(), n,
             vocab, C, beta);
    return as<float>(dtable.to_host());
  }
};

// Many repeats, the first and the last row, rows that never occur.
Ids ids_with_repeats(int64_t n, int64_t vocab) {
  Ids ids;
  for (const float value : uniform(n, 0, 1, 5))
    ids.push_back(int32_t(double(value) * value * double(vocab - 1)));
  ids.front() = 0;
  ids.back() = int32_t(vocab - 1);
  return ids;
}

struct Shape {
  int64_t n, vocab, C;
};
constexpr Shape kShapes[] = {{1, 1, 1},    {2, 7, 1},      {31, 5, 7},    {33, 50, 31},
                             {100, 3, 33}, {65, 257, 127}, {40, 11, 768}, {20, 9, 1000}};

TEST(EmbeddingOracle, BackwardAgreesWithFiniteDifferences) {
  const Ids ids = ids_with_repeats(20, 7);
  const Values table = to_double(uniform(7 * 3, -1, 1)), dy = to_double(uniform(20 * 3, -1, 1, 2));
  const auto loss = [&](const Values& at) { return dot(dy, oracle::embedding(at, ids, 3)); };
  EXPECT_LE(max_relative_error(oracle::embedding_backward(ids, dy, 7, 3), finite_differences(loss, table)),
            1e-8);
}

TEST_P(EmbeddingTest, TakesRowsOfTheTable) {
  for (const auto& shape : kShapes) {
    const auto table = uniform(shape.vocab * shape.C, -1, 1);
    const Ids ids = ids_with_repeats(shape.n, shape.vocab);
    EXPECT_EQ(to_double(forward(table, ids, shape.C)), oracle::embedding(to_double(table), ids, shape.C))
        << shape.n << " of " << shape.vocab << " x " << shape.C;
  }
}

// Rows are copied, and a sum is rounded once, however many rows it has.
TEST_P(EmbeddingTest, InBf16RoundsOnce) {
  for (const auto& shape : kShapes) {
    const Ids ids = ids_with_repeats(shape.n, shape.vocab);
    const auto table = representable<bf16>(uniform(shape.vocab * shape.C, -1, 1));
    EXPECT_EQ(forward<bf16>(table, ids, shape.C), forward(table, ids, shape.C));
    const auto dy = representable<bf16>(uniform(shape.n * shape.C, -1, 2));
    for (const float beta : {0.0f, 1.0f}) {
      EXPECT_EQ(backward<bf16>(ids, dy, table, shape.C, beta),
                representable<bf16>(backward(ids, dy, table, shape.C, beta)))
          << shape.n << " of " << shape.vocab << " x " << shape.C;
    }
  }
}

TEST_P(EmbeddingTest, BackwardAgreesWithTheDoubleOracleAndOverwritesNan) {
  for (const auto& shape : kShapes) {
    const Ids ids = ids_with_repeats(shape.n, shape.vocab);
    const auto dy = uniform(shape.n * shape.C, -1, 2);
    const auto actual = backward(ids, dy, std::vector<float>(size_t(shape.vocab * shape.C), NAN), shape.C, 0);
    const auto expected = oracle::embedding_backward(ids, to_double(dy), shape.vocab, shape.C);
    EXPECT_LE(max_relative_error(actual, expected), 1e-6)
        << shape.n << " of " << shape.vocab << " x " << shape.C;
  }
}

TEST_P(EmbeddingTest, BackwardAddsToTheOldValuesTimesBeta) {
  for (const float beta : {1.0f, 0.5f}) {
    for (const auto& shape : kShapes) {
      const Ids ids = ids_with_repeats(shape.n, shape.vocab);
      const auto dy = uniform(shape.n * shape.C, -1, 2), old = uniform(shape.vocab * shape.C, -9, 9, 2);
      auto expected = oracle::embedding_backward(ids, to_double(dy), shape.vocab, shape.C);
      for (size_t i = 0; i < expected.size(); ++i) expected[i] += double(beta) * old[i];
      EXPECT_LE(max_relative_error(backward(ids, dy, old, shape.C, beta), expected), 1e-6)
          << shape.n << " of " << shape.vocab << " x " << shape.C;
    }
  }
}

TEST_P(EmbeddingTest, OfNoIdsLeavesZeroOrTheOldValues) {
  EXPECT_EQ(backward({}, {}, {NAN, NAN, NAN, NAN}, 2, 0), (std::vector<float>{0, 0, 0, 0}));
  EXPECT_EQ(backward({}, {}, {1, 2, 3, 4}, 2, 1), (std::vector<float>{1, 2, 3, 4}));
}

TEST_P(EmbeddingTest, BackwardAddsInTheOrderOfTheIds) {
  // Any other order loses the 1: (1e8 - 1e8) + 1, but 1e8 + 1 = 1e8 in float.
  const Ids same(3, 1);
  EXPECT_EQ(backward(same, {1e8f, -1e8f, 1}, {0, 0}, 1, 1), (std::vector<float>{0, 1}));
  EXPECT_EQ(backward(same, {1, 1e8f, -1e8f}, {0, 0}, 1, 1), (std::vector<float>{0, 0}));
}

// A space in a text: 13,000 rows of one id, with others between them.
TEST_P(EmbeddingTest, BackwardAddsThousandsOfRowsOfOneId) {
  const int64_t n = 13'500, vocab = 1000, C = 33;
  Ids ids(static_cast<size_t>(n), 7);
  for (int64_t i = 0; i < n; i += 27) ids[size_t(i)] = int32_t(i % vocab);
  const auto dy = uniform(n * C, -1, 2), old = uniform(vocab * C, -9, 9, 2);
  Values expected = to_double(old);
  for (int64_t i = 0; i < n * C; ++i)
    expected[size_t(ids[size_t(i / C)] * C + i % C)] += double(dy[size_t(i)]);
  EXPECT_LE(max_relative_error(backward(ids, dy, old, C, 1), expected), 1e-5);  // the CPU adds one by one
  EXPECT_TRUE(gives_the_same_bits(device(), [&] { return backward(ids, dy, old, C, 1); }));
}

TEST_P(EmbeddingTest, BackwardGivesTheSameBitsEveryTime) {
  const Ids ids = ids_with_repeats(300, 17);
  const std::vector<float> dy = uniform(300 * 200, -1, 1), old(17 * 200, 0.1f);
  EXPECT_TRUE(gives_the_same_bits(device(), [&] { return backward(ids, dy, old, 200, 1); }));
}

INSTANTIATE_ON_EVERY_DEVICE(EmbeddingTest);

}  // namespace
}  // namespace gpt2::testing
