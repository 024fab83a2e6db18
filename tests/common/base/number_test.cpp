#include "common/base/number.h"

#include <gtest/gtest.h>

#include <limits>
#include <string>

#include "common/base/error.h"
#include "tests/common/files.h"

namespace gpt2::testing {
namespace {

constexpr int64_t kLow = std::numeric_limits<int64_t>::min(), kHigh = std::numeric_limits<int64_t>::max();
constexpr uint64_t kUnsignedHigh = std::numeric_limits<uint64_t>::max();

TEST(ParseNumber, TakesWholeNumbersAsTheyAreMeant) {
  const std::pair<std::string, int64_t> table[] = {
      {"1000", 1000},
      {"1_000", 1000},
      {"1e3", 1000},
      {"1E3", 1000},
      {"1e+3", 1000},
      {"1.5e3", 1500},
      {"10e-1", 1},
      {"1000.0", 1000},
      {"1000.", 1000},
      {"010", 10},
      {"0010", 10},
      {"+5", 5},
      {"-5", -5},
      {"-0", 0},
      {"0", 0},
      {"00", 0},
      {"0e99999999999", 0},
      {"1_000_000", 1000000},
      {" 7 ", 7},
      {"9223372036854775807", kHigh},
      {"0.5e1", 5},
      {"1e18", 1000000000000000000},
      {"-9223372036854775808", kLow},
      {"524288", 524288},
      {"5.24288e5", 524288},
      {"08", 8},
      {"1e003", 1000},
  };
  for (const auto& [text, value] : table) EXPECT_EQ(parse_number(text, kLow, kHigh), value) << text;
  EXPECT_EQ(parse_number("18446744073709551615", uint64_t{0}, kUnsignedHigh), kUnsignedHigh);
  EXPECT_EQ(parse_number("1.8446744073709551615e19", uint64_t{0}, kUnsignedHigh), kUnsignedHigh);
}

TEST(ParseNumber, RefusesTheRestForTheRightReason) {
  const std::pair<std::string, std::string> table[] = {
      {"", "the value is empty"},
      {"  ", "the value is empty"},
      {"1,000", "1,000 has a comma"},
      {"0,5", "0,5 has a comma"},
      {"0x10", "0x10 is hexadecimal"},
      {"-0X1F", "-0X1F is hexadecimal"},
      {"5k", "5k has a unit"},
      {"10M", "10M has a unit"},
      {"50%", "50% is a percentage; write the fraction, such as 0.5 for 50%"},
      {"1.5", "1.5 is not a whole number"},
      {"1e-3", "1e-3 is not a whole number"},
      {"15e-1", "15e-1 is not a whole number"},
      {"1e-99999999999", "is not a whole number"},
      {"many", "many is not a number"},
      {"1e", "1e is not a number"},
      {"e3", "e3 is not a number"},
      {".", ". is not a number"},
      {"_1", "_1 is not a number"},
      {"1_", "1_ is not a number"},
      {"1__0", "1__0 is not a number"},
      {"1 000", "1 000 is not a number"},
      {"1-2", "1-2 is not a number"},
      {"--5", "--5 is not a number"},
      {"2**19", "2**19 is not a number"},
      {"2^19", "2^19 is not a number"},
      {"nan", "nan is not a number"},
      {"inf", "inf is not a number"},
      {"\xe2\x88\x92"
       "5",
       "is not a number"},  // a minus sign as word processors write it
      {"9223372036854775808", "is not in range"},
      {"-9223372036854775809", "is not in range"},
      {"18446744073709551616", "is not in range"},  // wrapped, it would be 0
      {"18446744073709551617", "is not in range"},  // wrapped, it would be 1
      {"99999999999999999999999999", "is not in range"},
      {"1e19", "is not in range"},
      {"1e99999999999999999999", "is not in range"},
  };
  for (const auto& [text, reason] : table) EXPECT_ERROR(parse_number(text, kLow, kHigh), reason);
  EXPECT_ERROR(parse_number("-1", uint64_t{0}, kUnsignedHigh),
               "-1 is not in range 0 to 18446744073709551615");
  EXPECT_ERROR(parse_number("18446744073709551616", uint64_t{0}, kUnsignedHigh), "is not in range");
}

TEST(ParseNumber, BoundsAreInclusive) {
  EXPECT_EQ(parse_number("1", int64_t{1}, int64_t{3}), 1);
  EXPECT_EQ(parse_number("3", int64_t{1}, int64_t{3}), 3);
  EXPECT_EQ(parse_number("-1", int64_t{-1}, int64_t{3}), -1);
  EXPECT_EQ(parse_number("-3", int64_t{-5}, int64_t{-2}), -3);
  for (const std::string text : {"0", "4", "-1", "1e3"}) {
    EXPECT_ERROR(parse_number(text, int64_t{1}, int64_t{3}), text + " is not in range 1 to 3");
  }
  for (const std::string text : {"-6", "-1", "0", "5"}) {
    EXPECT_ERROR(parse_number(text, int64_t{-5}, int64_t{-2}), text + " is not in range -5 to -2");
  }
}

TEST(ParseNumber, TakesRealNumbersAsTheyAreMeant) {
  const std::pair<std::string, double> table[] = {
      {"0.5", 0.5},
      {".5", 0.5},
      {"5.", 5},
      {"6e-4", 6e-4},
      {"0.0006", 6e-4},
      {"1_000.5", 1000.5},
      {"010.5", 10.5},
      {"+2", 2},
      {"-1.25", -1.25},
      {"0", 0},
      {"1E-3", 1e-3},
      {"0.1", 0.1},
      {"0.99999", 0.99999},
      {"1e-300", 1e-300},
      {"123456789.123456789", 123456789.123456789},
  };
  for (const auto& [text, value] : table) EXPECT_EQ(parse_number(text, -1e300, 1e300), value) << text;
  const std::pair<std::string, std::string> refused[] = {
      {"", "the value is empty"},       {"0,5", "has a comma"},         {"nan", "not a number"},
      {"-nan", "not a number"},         {"inf", "not a number"},        {"0x1p3", "hexadecimal"},
      {"hot", "not a number"},          {"1/10", "not a number"},       {"1e-400", "too small"},
      {"1e400", "not in range 0 to 1"}, {"1.1", "not in range 0 to 1"}, {"-0.1", "not in range 0 to 1"},
      {"10%", "10% is a percentage"},
  };
  for (const auto& [text, reason] : refused) EXPECT_ERROR(parse_number(text, 0.0, 1.0), reason);
}

TEST(Product, IsNothingIfItOverflows) {
  const std::pair<std::vector<int64_t>, std::optional<int64_t>> table[] = {
      {{}, 1},
      {{7}, 7},
      {{1'000'000'000'000, 256}, 256'000'000'000'000},
      {{1'000'000'000'000, 256, 50257}, std::nullopt},
      {{int64_t{1} << 40, 1 << 23}, std::nullopt},
      {{int64_t{1} << 40, 1 << 22}, int64_t{1} << 62},
      {{INT64_MAX, 1}, INT64_MAX},
      {{5, 0}, 0}};
  for (const auto& [factors, expected] : table) EXPECT_EQ(product(factors), expected);
}

}  // namespace
}  // namespace gpt2::testing
