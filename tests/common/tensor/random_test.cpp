// The draws of torch's CPU generator (tests/golden/rng.py).
#include "common/tensor/random.h"

#include <algorithm>

#include "common/text/sampling.h"
#include "tests/common/golden.h"
#include "tests/common/testing.h"

namespace gpt2::testing {
namespace {

using Json = nlohmann::ordered_json;

// How many floats lie between a and b; a NaN is far from everything.
double ulps(float a, float b) {
  if (a == b) return 0;
  return std::abs(double(a) - double(b)) / (std::nextafter(std::abs(b), INFINITY) - std::abs(b));
}

double most_ulps(const std::vector<float>& actual, const std::vector<float>& expected) {
  if (actual.size() != expected.size() || expected.empty()) return INFINITY;
  double most = 0;
  for (size_t i = 0; i < actual.size(); ++i) {
    const double distance = ulps(actual[i], expected[i]);
    if (!(distance <= most)) most = distance;  // takes a NaN
    if (std::isnan(most)) return most;
  }
  return most;
}

void expect_uniform(Generator& generator, const Json& draw) {
  std::vector<float> values(draw.at("size").get<size_t>());
  generator.uniform(values, draw.at("low"), draw.at("high"));
  EXPECT_EQ(values, draw.at("values").get<std::vector<float>>());
}

void expect_normal(Generator& generator, const Json& draw) {
  std::vector<float> values(draw.at("size").get<size_t>());
  const float mean = draw.at("mean"), std = draw.at("std");
  generator.normal(values, mean, std);
  const auto expected = draw.at("values").get<std::vector<float>>();
  ASSERT_EQ(values.size(), expected.size());
  for (size_t i = 0; i < values.size(); ++i) EXPECT_LE(std::abs(values[i] - expected[i]), 1e-6 * std) << i;
}

// Ours has rate 1 alone: another rate divides its draws, in double, before torch rounds them.
void expect_exponential(Generator& generator, const Json& draw) {
  std::vector<float> values(draw.at("size").get<size_t>());
  generator.exponential(values);
  const double rate = draw.at("rate");
  for (float& value : values) value = float(value / rate);
  EXPECT_LE(most_ulps(values, draw.at("values").get<std::vector<float>>()), rate == 1 ? 0 : 1);
}

void expect_multinomial(Generator& generator, const Json& draw) {
  const Shape shape = {draw.at("rows"), draw.at("columns")};
  const Tensor p = from_vector(draw.at("probabilities").get<std::vector<float>>(), shape);
  EXPECT_EQ(multinomial(p, generator).to_vector<int32_t>(), draw.at("values").get<std::vector<int32_t>>());
}

class TorchsStreams : public ::testing::TestWithParam<std::string> {};

TEST_P(TorchsStreams, AreDrawnAgain) {
  const auto streams = golden_json("rng.json").at("streams");
  const auto stream =
      std::find_if(streams.begin(), streams.end(), [](const Json& s) { return s.at("name") == GetParam(); });
  ASSERT_NE(stream, streams.end());
  Generator generator(stream->at("seed").get<uint64_t>());
  std::vector<float> skipped(stream->at("skip").get<size_t>());
  generator.uniform(skipped, 0, 1);
  ASSERT_GE(stream->at("draws").size(), 2u);
  for (const auto& draw : stream->at("draws")) {
    SCOPED_TRACE(draw.at("op").get<std::string>() + " of " + draw.at("size").dump());
    const auto expect = draw.at("op") == "uniform"       ? expect_uniform
                        : draw.at("op") == "normal"      ? expect_normal
                        : draw.at("op") == "exponential" ? expect_exponential
                                                         : expect_multinomial;
    expect(generator, draw);
  }
}

INSTANTIATE_TEST_SUITE_P(Random, TorchsStreams,
                         ::testing::Values("uniform", "uniform in a range", "rand", "normal", "exponential",
                                           "multinomial", "after 10000 outputs"),
                         [](const auto& test) {
                           std::string name = test.param;
                           std::replace(name.begin(), name.end(), ' ', '_');
                           return name;
                         });

TEST(RngGolden, HasNoOtherStream) { EXPECT_EQ(golden_json("rng.json").at("streams").size(), 7u); }

TEST(Ulps, FailOnNan) {
  EXPECT_FALSE(most_ulps({1, NAN, 1}, {1, 1, 1}) <= 1e30);
  EXPECT_FALSE(most_ulps({}, {}) <= 1e30);
  EXPECT_EQ(most_ulps({1, 2}, {1, std::nextafter(2.0f, 3.0f)}), 1);
}

TEST(Generator, GivesTheSameNormalsOnAnyNumberOfThreads) {
  EXPECT_TRUE(gives_the_same_bits(kCpu, [] {
    std::vector<float> values(10'007);
    Generator(1337).normal(values, 0, 1);
    return values;
  }));
}

TEST(Generator, SeedsModuloTwoToThe32AsTorchDoes) {
  std::vector<float> a(3), b(3), c(3);
  Generator(5).uniform(a, 0, 1);
  Generator(5 + (uint64_t{1} << 32)).uniform(b, 0, 1);
  Generator(6).uniform(c, 0, 1);
  EXPECT_EQ(a, b);
  EXPECT_NE(a, c);
}

}  // namespace
}  // namespace gpt2::testing
