// The comparison itself: a test is worth what its comparison notices.
#include "tests/common/testing.h"

#include <gtest/gtest-spi.h>

namespace gpt2::testing {
namespace {

TEST(MaxRelativeError, OneNanAmongAThousandValuesFails) {
  const std::vector<float> good = uniform(1000, -1, 1);
  ASSERT_LE(max_relative_error(good, good), 0);
  for (const size_t where : {0, 1, 499, 999}) {
    std::vector<float> bad = good;
    bad[where] = NAN;
    EXPECT_FALSE(max_relative_error(bad, good) <= 1e30) << where;
    EXPECT_FALSE(max_relative_error(good, bad) <= 1e30) << where;
    EXPECT_FALSE(max_relative_error(bad, bad) <= 1e30) << where;
  }
}

TEST(MaxRelativeError, ExpectLeReportsTheNan) {
  const std::vector<float> good = uniform(1000, -1, 1);
  std::vector<float> bad = good;
  bad[777] = NAN;
  EXPECT_NONFATAL_FAILURE(EXPECT_LE(max_relative_error(bad, good), 1e-5), "nan");
}

TEST(MaxRelativeError, IsTheLargestDifferenceOverTheLargestExpectedValue) {
  EXPECT_EQ(max_relative_error(std::vector{1.0, -3.0}, std::vector{1.0, -4.0}), 0.25);
  EXPECT_EQ(max_relative_error(std::vector{2.0, -4.0}, std::vector{1.0, -4.0}), 0.25);
}

TEST(MaxRelativeError, InfiniteValuesHaveToAgree) {
  const float inf = INFINITY;
  EXPECT_EQ(max_relative_error(std::vector{inf, 1.f}, std::vector{inf, 1.f}), 0);
  EXPECT_FALSE(max_relative_error(std::vector{inf, 1.f}, std::vector{-inf, 1.f}) <= 1e30);
  EXPECT_FALSE(max_relative_error(std::vector{inf, 1.f}, std::vector{2.f, 1.f}) <= 1e30);
  EXPECT_FALSE(max_relative_error(std::vector{2.f, 1.f}, std::vector{inf, 1.f}) <= 1e30);
}

TEST(MaxRelativeError, NothingComparedOrSizesThatDifferFail) {
  const std::vector<float> none, one{1}, two{1, 2}, zero{0};
  EXPECT_FALSE(max_relative_error(none, none) <= 1e30);
  EXPECT_FALSE(max_relative_error(one, two) <= 1e30);
  EXPECT_FALSE(max_relative_error(two, one) <= 1e30);
  EXPECT_FALSE(max_relative_error(one, zero) <= 1e30);
}

TEST(GivesTheSameBits, NoticesASumThatDependsOnTheRun) {
  int runs = 0;
  EXPECT_FALSE(gives_the_same_bits(kCpu, [&] { return std::vector<float>{1.0f + float(runs++) * 1e-6f}; }));
  EXPECT_FALSE(gives_the_same_bits(kCpu, [] { return std::vector<float>{}; }));
  EXPECT_TRUE(gives_the_same_bits(kCpu, [] { return std::vector<float>{NAN, 1}; }));
}

#ifdef _OPENMP
TEST(GivesTheSameBits, NoticesASumThatDependsOnTheNumberOfThreads) {
  EXPECT_FALSE(gives_the_same_bits(kCpu, [] { return std::vector{float(omp_get_max_threads())}; }));
}
#endif

class DeviceArrayTest : public OnEveryDevice {};

TEST_P(DeviceArrayTest, WithoutValuesIsNanSoThatWhatAKernelForgetsIsSeen) {
  for (const float value : DeviceArray<float>(device(), 1000).to_host()) EXPECT_TRUE(std::isnan(value));
}

TEST_P(DeviceArrayTest, ReportsWhatIsWrittenOutside) {
  const auto write_at = [&](ptrdiff_t index) {
    DeviceArray<float> array(device(), std::vector<float>{1, 2, 3});
    const float value = 0;
    backend(device()).copy(array.data() + index, &value, sizeof(value), context().stream(device()));
  };
  EXPECT_NONFATAL_FAILURE(write_at(-1), "before the array");
  EXPECT_NONFATAL_FAILURE(write_at(3), "behind the array");
  write_at(2);
}

TEST_P(DeviceArrayTest, GivesBackWhatItWasMadeOf) {
  const std::vector<int32_t> ids{3, 1, 2};
  EXPECT_EQ(DeviceArray<int32_t>(device(), ids).to_host(), ids);
}

INSTANTIATE_ON_EVERY_DEVICE(DeviceArrayTest);

}  // namespace
}  // namespace gpt2::testing
