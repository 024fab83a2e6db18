#include "common/text/sampling.h"
#include "common/tensor/rows.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "tests/common/files.h"
#include "tests/common/testing.h"

namespace gpt2::testing {
namespace {

class SamplingTest : public OnEveryDevice {
 protected:
  Tensor ids(const std::vector<int32_t>& values, const Shape& shape) const {
    return from_vector(values, shape, device());
  }
  Tensor floats(const std::vector<float>& values, const Shape& shape) const {
    return from_vector(values, shape, device());
  }
};

TEST_P(SamplingTest, TopKAreTheLargestInDescendingOrder) {
  const auto [values, indices] = topk(floats({0.1f, 0.5f, 0.3f, 0.9f, 0.2f, 0.4f}, {2, 3}), 2);
  EXPECT_EQ(values.shape(), (Shape{2, 2}));
  EXPECT_EQ(values.to_vector<float>(), (std::vector<float>{0.5f, 0.3f, 0.9f, 0.4f}));
  EXPECT_EQ(indices.to_vector<int32_t>(), (std::vector<int32_t>{1, 2, 0, 2}));
  EXPECT_EQ(values.device(), kCpu);
  EXPECT_EQ(indices.device(), kCpu);
}

// Few different values, so that there are many ties; the oracle sorts whole rows, stably.
TEST_P(SamplingTest, OfEqualValuesTheOneFurtherLeftIsFirst) {
  const int64_t B = 3, V = 257;
  std::vector<float> rows = uniform(B * V, 0, 20);
  for (float& value : rows) value = std::floor(value);
  for (const int64_t k : {1, 2, 50, 256, 257, 1000}) {
    const auto [values, indices] = topk(floats(rows, {B, V}), k);
    const int64_t n = std::min(k, V);
    ASSERT_EQ(indices.shape(), (Shape{B, n}));
    std::vector<float> expected_values;
    std::vector<int32_t> expected;
    for (int64_t b = 0; b < B; ++b) {
      std::vector<int32_t> order(static_cast<size_t>(V));
      std::iota(order.begin(), order.end(), 0);
      const auto larger = [&](int32_t i, int32_t j) {
        return rows[size_t(b * V + i)] > rows[size_t(b * V + j)];
      };
      std::stable_sort(order.begin(), order.end(), larger);
      for (int64_t j = 0; j < n; ++j) {
        expected.push_back(order[size_t(j)]);
        expected_values.push_back(rows[size_t(b * V + order[size_t(j)])]);
      }
    }
    EXPECT_EQ(indices.to_vector<int32_t>(), expected) << k;
    EXPECT_EQ(values.to_vector<float>(), expected_values) << k;
  }
}

// torch.topk puts NaN before all numbers.
TEST_P(SamplingTest, TopKTakesNanForTheLargest) {
  for (size_t place = 0; place < 4; ++place) {
    std::vector<float> row = {0.1f, INFINITY, 0.3f, -INFINITY};
    row[place] = NAN;
    const auto [values, indices] = topk(floats(row, {1, 4}), 2);
    EXPECT_TRUE(std::isnan(values.to_vector<float>()[0])) << place;
    EXPECT_EQ(indices.to_vector<int32_t>(), (std::vector<int32_t>{int32_t(place), place == 1 ? 2 : 1}));
  }
  const std::vector<float> nans(1000, NAN);
  const std::vector<int32_t> first = topk(floats(nans, {1, 1000}), 50).indices.to_vector<int32_t>();
  for (int32_t i = 0; i < 50; ++i) EXPECT_EQ(first[size_t(i)], i);
}

// The rows that torch.multinomial refuses.
TEST_P(SamplingTest, MultinomialRefusesWhatIsNoProbability) {
  const struct {
    std::vector<float> row;
    const char* error;
  } cases[] = {
      {{0.5f, NAN, 0.5f}, "probability 1 of row 1 is nan"},
      {{INFINITY, 0, 0}, "probability 0 of row 1 is inf"},
      {{0, 0, -INFINITY}, "probability 2 of row 1 is -inf"},
      {{0.5f, 0.6f, -0.1f}, "probability 2 of row 1 is -0.1"},
      {{NAN, NAN, NAN}, "probability 0 of row 1 is nan"},
      {{0, 0, 0}, "row 1 has no probability above 0"},
  };
  for (const auto& c : cases) {
    std::vector<float> rows = {1, 2, 3};
    rows.insert(rows.end(), c.row.begin(), c.row.end());
    Generator generator(1);
    EXPECT_ERROR(multinomial(floats(rows, {2, 3}), generator), c.error);
  }
}

TEST_P(SamplingTest, MultinomialDrawsWithTheProbabilitiesItIsGiven) {
  const int draws = 20'000;
  const std::vector<float> p = {4, 0, 1, 3, 2};  // not normalised
  Generator generator(1337);
  std::vector<int> counts(5, 0);
  std::vector<float> rows;
  for (int i = 0; i < draws; ++i) rows.insert(rows.end(), p.begin(), p.end());
  const Tensor chosen = multinomial(floats(rows, {draws, 5}), generator);
  ASSERT_EQ(chosen.shape(), (Shape{draws, 1}));
  for (const int32_t column : chosen.to_vector<int32_t>()) ++counts.at(size_t(column));
  EXPECT_EQ(counts[1], 0);
  for (size_t i = 0; i < p.size(); ++i)
    EXPECT_NEAR(counts[i], draws * p[i] / 10, 5 * std::sqrt(draws * 0.25)) << i;
}

TEST_P(SamplingTest, MultinomialIsTheSameOnEveryDeviceAndAfterEverySeed) {
  const std::vector<float> p = uniform(5 * 50, 0, 1);
  Generator a(42), b(42);
  EXPECT_EQ(multinomial(floats(p, {5, 50}), a).to_vector<int32_t>(),
            multinomial(from_vector(p, {5, 50}), b).to_vector<int32_t>());
}

TEST_P(SamplingTest, GatherPicksAColumnOfEachRow) {
  const Tensor x = ids({10, 11, 12, 20, 21, 22}, {2, 3});
  EXPECT_EQ(gather(x, ids({2, 0}, {2, 1})).to_vector<int32_t>(), (std::vector<int32_t>{12, 20}));
  EXPECT_EQ(gather(x, ids({2, 0, 1, 1}, {2, 2})).to_vector<int32_t>(),
            (std::vector<int32_t>{12, 10, 21, 21}));
  EXPECT_EQ(gather(x, ids({2, 0}, {2, 1})).shape(), (Shape{2, 1}));
}

TEST_P(SamplingTest, CatPutsIdsSideBySideOnTheDeviceOfTheFirst) {
  const Tensor x = ids({1, 2, 3, 4}, {2, 2}), y = from_vector(std::vector<int32_t>{5, 6}, {2, 1});
  const Tensor both = cat(x, y);
  EXPECT_EQ(both.shape(), (Shape{2, 3}));
  EXPECT_EQ(both.device(), device());
  EXPECT_EQ(both.to_vector<int32_t>(), (std::vector<int32_t>{1, 2, 5, 3, 4, 6}));
}

TEST_P(SamplingTest, LastKeepsTheEndOfEachRow) {
  const Tensor x = ids({1, 2, 3, 4, 5, 6}, {2, 3});
  const Tensor end = last(x, 2);
  EXPECT_EQ(end.shape(), (Shape{2, 2}));
  EXPECT_EQ(end.device(), device());
  EXPECT_EQ(end.to_vector<int32_t>(), (std::vector<int32_t>{2, 3, 5, 6}));
  for (const int64_t n : {3, 4, 1000}) EXPECT_EQ(last(x, n).to_vector<int32_t>(), x.to_vector<int32_t>());
}

TEST_P(SamplingTest, RowIsOneSequence) {
  const Tensor x = ids({1, 2, 3, 4, 5, 6}, {2, 3});
  EXPECT_EQ(row(x, 0), (std::vector<int32_t>{1, 2, 3}));
  EXPECT_EQ(row(x, 1), (std::vector<int32_t>{4, 5, 6}));
}

TEST_P(SamplingTest, EveryFunctionWantsRows) {
  Generator generator(1);
  EXPECT_ERROR(topk(floats({1, 2}, {2}), 1), "expected 2 dimensions, got (2)");
  EXPECT_ERROR(multinomial(floats({1, 2}, {2}), generator), "expected 2 dimensions, got (2)");
  EXPECT_ERROR(cat(ids({1, 2}, {2}), ids({1, 2}, {2})), "expected 2 dimensions, got (2)");
  EXPECT_ERROR(last(ids({1, 2}, {2}), 1), "expected 2 dimensions, got (2)");
}

INSTANTIATE_ON_EVERY_DEVICE(SamplingTest);

}  // namespace
}  // namespace gpt2::testing
