#include "common/kernels/dropout.h"

#include "tests/common/testing.h"

namespace gpt2::testing {
namespace {

struct Drawing {
  double p;
  uint64_t seed = 1337;
  uint32_t site = 0;
  int64_t draw = 0;
};

namespace oracle {

// Word `index` of the four that Philox makes in `rounds` rounds, from the words of the round before.
uint32_t philox_word(int rounds, const std::vector<uint32_t>& counter, uint64_t key, int index) {
  if (rounds == 0) return counter[size_t(index)];
  const auto before = [&](int i) { return philox_word(rounds - 1, counter, key, i); };
  const uint64_t product = index < 2 ? before(2) * 0xCD9E8D57ull : before(0) * 0xD2511F53ull;
  if (index % 2 == 1) return uint32_t(product);
  const uint64_t of_key = index == 0 ? key % (1ull << 32) + uint64_t(rounds - 1) * 0x9E3779B9
                                     : (key >> 32) + uint64_t(rounds - 1) * 0xBB67AE85;
  return uint32_t(product >> 32) ^ before(index + 1) ^ uint32_t(of_key);
}

// Value i is kept if its word, as a number in [0, 1), is not below p.
bool keeps(const Drawing& d, int64_t i) {
  const std::vector<uint32_t> counter = {uint32_t(i / 4), d.site, uint32_t(d.draw), uint32_t(d.draw >> 32)};
  return (philox_word(10, counter, d.seed, int(i % 4)) + 1.0) / 4294967296.0 > d.p;
}

std::vector<double> dropout(const std::vector<float>& x, const Drawing& d) {
  std::vector<double> y;
  for (size_t i = 0; i < x.size(); ++i) y.push_back(keeps(d, int64_t(i)) ? double(x[i]) / (1 - d.p) : 0);
  return y;
}

}  // namespace oracle

class DropoutTest : public OnEveryDevice {
 protected:
  template <class T>
  void run(T* y, const T* x, const Drawing& d, int64_t n) {
    DeviceArray<int64_t> draw(device(), std::vector<int64_t>{d.draw});
    DISPATCH(device(), dropout, y, x, DropoutMask(d.p, d.seed, d.site, draw.data()), n);
    synchronize(device());  // before the draw's memory goes
  }

  std::vector<float> mask(const Drawing& d, int64_t n) {
    DeviceArray<float> in(device(), std::vector<float>(size_t(n), 1)), out(device(), n);
    run(out.data(), in.data(), d, n);
    return out.to_host();
  }
  int64_t kept(const Drawing& d, int64_t n) {
    const std::vector<float> values = mask(d, n);
    return n - std::count(values.begin(), values.end(), 0.0f);
  }
};

template <class T>
void expect_close(const std::vector<T>& actual, const std::vector<double>& expected) {
  EXPECT_LE(max_relative_error(actual, expected), 2e-7 + kRounding<T>);
  for (size_t i = 0; i < expected.size(); ++i) EXPECT_EQ(float(actual[i]) == 0, expected[i] == 0) << i;
}

TEST_P(DropoutTest, AgreesWithTheOracleInPlaceOrNot) {
  for_float_and_bf16([&](auto type) {
    using T = decltype(type);
    for (const double p : {0.0, 0.2, 0.9}) {
      for (const int64_t n : {1, 3, 4, 5, 1000, 1025, 17001}) {
        SCOPED_TRACE(::testing::Message() << "p " << p << ", n " << n);
        const Drawing d{.p = p, .seed = 0x123456789abcdef0, .site = 3, .draw = (int64_t{7} << 32) + n};
        const std::vector<T> x = as<T>(uniform(n, 1, 100));
        const auto expected = oracle::dropout(as<float>(x), d);
        DeviceArray<T> in(device(), x), out(device(), n);
        run(out.data(), in.data(), d, n);
        expect_close(out.to_host(), expected);
        run(in.data(), in.data(), d, n);
        expect_close(in.to_host(), expected);
      }
    }
  });
}

TEST_P(DropoutTest, TakesArraysThatAreNotAligned) {
  for_float_and_bf16([&](auto type) {
    using T = decltype(type);
    const int64_t n = 1025;
    const Drawing d{.p = 0.3};
    const std::vector<T> x = as<T>(uniform(n, 1, 2));
    DeviceArray<T> in(device(), x), out(device(), n);
    run(out.data() + 3, in.data() + 1, d, n - 3);
    const std::vector<T> y = out.to_host();
    expect_close(std::vector<T>(y.begin() + 3, y.end()),
                 oracle::dropout(as<float>(std::vector<T>(x.begin() + 1, x.end() - 2)), d));
  });
}

TEST_P(DropoutTest, KeepsTheShareThatItShould) {
  const int64_t n = 100003;
  for (const double p : {0.1, 0.2, 0.5, 0.9}) {
    const double sigma = std::sqrt(double(n) * p * (1 - p));
    for (const uint32_t site : {0, 1}) {
      EXPECT_LE(std::abs(double(kept({.p = p, .site = site}, n)) - double(n) * (1 - p)), 5 * sigma) << p;
    }
  }
  EXPECT_EQ(kept({.p = 0}, n), n);
}

// Two masks of p = 1/2 that know nothing of each other agree in half of their places.
TEST_P(DropoutTest, AnotherSeedSiteOrDrawIsAnotherMask) {
  const int64_t n = 10001;
  const std::vector<float> first = mask({.p = 0.5}, n);
  EXPECT_EQ(mask({.p = 0.5}, n), first);
  const int64_t high = int64_t{1} << 32;
  const Drawing others[] = {{.p = 0.5, .seed = 1338}, {.p = 0.5, .seed = 1337 + (uint64_t{1} << 32)},
                            {.p = 0.5, .site = 1},    {.p = 0.5, .draw = 1},
                            {.p = 0.5, .draw = high}, {.p = 0.5, .draw = -1}};
  for (const Drawing& other : others) {
    const std::vector<float> second = mask(other, n);
    int64_t same = 0;
    for (size_t i = 0; i < first.size(); ++i) same += first[i] == second[i] ? 1 : 0;
    EXPECT_LE(std::abs(double(same) - n / 2.0), 5 * std::sqrt(n / 4.0))
        << other.seed << " " << other.site << " " << other.draw;
  }
}

TEST_P(DropoutTest, KeepsNanAndInfinityWhereItKeepsTheValue) {
  const int64_t n = 1001;
  const Drawing d{.p = 0.5};
  DeviceArray<float> nan(device(), std::vector<float>(size_t(n), NAN));
  DeviceArray<float> infinite(device(), std::vector<float>(size_t(n), -INFINITY));
  run(nan.data(), nan.data(), d, n);
  run(infinite.data(), infinite.data(), d, n);
  const std::vector<float> with_nan = nan.to_host(), with_infinity = infinite.to_host();
  for (size_t i = 0; i < size_t(n); ++i) {
    const bool keeps = oracle::keeps(d, int64_t(i));
    EXPECT_TRUE(keeps ? std::isnan(with_nan[i]) : with_nan[i] == 0) << i;
    EXPECT_EQ(with_infinity[i], keeps ? -INFINITY : 0) << i;
  }
}

INSTANTIATE_ON_EVERY_DEVICE(DropoutTest);

}  // namespace
}  // namespace gpt2::testing
