#include "fp8.h"

#include <bit>
#include <limits>

#include "tests/exercises/exercise.h"

namespace {

using exercise::Draw;
using Floats = std::vector<float>;
using Codes = std::vector<int>;
using Words = std::vector<uint32_t>;

// All numbers from 0 to 448, by the table: number k has the code k.
const Floats& table() {
  static const Floats values = [] {
    Floats all;
    for (int m = 0; m < 8; ++m) all.push_back(float(m) / 512);
    for (float power = 1.0f / 64; power <= 256; power *= 2) {
      for (int m = 0; m < 8; ++m) all.push_back(power * (1 + float(m) / 8));
    }
    all.pop_back();  // 480 would be the code of NaN
    return all;
  }();
  return values;
}

// The code of the largest number that is at most |x|.
int below(float x) {
  const auto after = std::upper_bound(table().begin(), table().end(), std::abs(x));
  return int(after - table().begin()) - 1;
}

// The part of the way from that number to the next one.
double part(float x) {
  const auto code = size_t(below(x));
  if (code + 1 == table().size()) return 0;
  return (std::abs(double(x)) - double(table()[code])) / (double(table()[code + 1]) - double(table()[code]));
}

int oracle(float x, uint32_t random) {
  return (std::signbit(x) ? 128 : 0) + below(x) + (double(random) < part(x) * 0x1p32);
}

Floats student_values(const Codes& codes) {
  Floats values;
  for (const int code : codes) values.push_back(value_of(uint8_t(code)));
  return values;
}

Codes student_codes(const Floats& x, const Words& random) {
  Codes codes;
  for (size_t i = 0; i < x.size(); ++i) codes.push_back(rounded(x[i], random[i]));
  return codes;
}

Words random_words(Draw& draw, size_t n) {
  Words words;
  for (size_t i = 0; i < n; ++i) words.push_back(uint32_t(draw.integer(0, 0xffffffff)));
  return words;
}

Codes all_codes() {
  Codes codes(256);
  std::iota(codes.begin(), codes.end(), 0);
  return codes;
}

std::string show(int code) {
  const int magnitude = code & 127;
  if (magnitude == 127) return fmt::format("{:#04x} (NaN)", code);
  return fmt::format("{:#04x} ({}{})", code, code & 128 ? "-" : "", table()[size_t(magnitude)]);
}

void check_codes(const Codes& codes, const Floats& x, const Words& random) {
  for (size_t i = 0; i < x.size(); ++i) {
    const int low = oracle(x[i], 0xffffffff), high = low + (part(x[i]) > 0);
    CHECK(codes[i] == low || codes[i] == high, "{:.9g} became {}, but its neighbours are {} and {}", x[i],
          show(codes[i]), show(low), show(high));
    CHECK(codes[i] == oracle(x[i], random[i]),
          "{:.9g} is {:.4f} of the way from {} to {}; with the random word {:#010x}, {:.4f} of 2^32, it "
          "became {}",
          x[i], part(x[i]), show(low), show(high), random[i], double(random[i]) / 0x1p32, show(codes[i]));
  }
}

}  // namespace

CASE("all 256 numbers") {
  const Floats values = STUDENT(student_values(all_codes()));
  for (int code = 0; code < 256; ++code) {
    const float value = values[size_t(code)];
    if ((code & 127) == 127) {
      CHECK(std::isnan(value), "{:#04x} is NaN, got {}", code, value);
      continue;
    }
    const float expected = code & 128 ? -table()[size_t(code & 127)] : table()[size_t(code)];
    CHECK((code & 0x78) != 0 || value == expected,
          "{:#04x} is {}, got {}: with e = 0 the number is (m / 8) 2^-6, without the 1", code, expected,
          value);
    CHECK(value == expected, "{:#04x} is {}, got {}", code, expected, value);
  }
  Codes codes;
  Floats exact;
  for (int code = 0; code < 256; ++code) {
    if ((code & 127) == 127) continue;
    codes.push_back(code);
    exact.push_back(code & 128 ? -table()[size_t(code & 127)] : table()[size_t(code)]);
  }
  for (const Words& random : {Words(codes.size(), 0), random_words(draw, codes.size())}) {
    const Codes same = STUDENT(student_codes(exact, random));
    for (size_t i = 0; i < codes.size(); ++i)
      CHECK(same[i] == codes[i], "{} is an fp8 number, {}, but it became {}", exact[i], show(codes[i]),
            show(same[i]));
  }
}

CASE("neighbours") {
  Floats x;
  for (int i = 0; i < 2000; ++i)
    x.push_back(float(draw.pick({-1, 1}) * draw.number(1, 2) * std::exp2(double(draw.integer(-6, 7)))));
  for (const float power : {2.0f, 16.0f, 256.0f})
    x.push_back(power - 0.001f);  // rounded up across a power of 2
  for (const Words& random : {random_words(draw, x.size()), Words(x.size(), 0), Words(x.size(), 0xffffffff)})
    check_codes(STUDENT(student_codes(x, random)), x, random);
}

CASE("subnormals") {
  Floats x{1e-30f, -1e-30f, 0x1p-10f, 0.0156f};  // the last one lies just below 2^-6
  for (int i = 0; i < 500; ++i) x.push_back(float(draw.number(-1, 1) / 64));
  for (const Words& random : {random_words(draw, x.size()), Words(x.size(), 0)}) {
    const Codes codes = STUDENT(student_codes(x, random));
    for (size_t i = 0; i < x.size(); ++i) {
      CHECK((codes[i] & 127) <= 8, "{:.9g} became {}: below 2^-6 the neighbours are multiples of 2^-9", x[i],
            show(codes[i]));
    }
    check_codes(codes, x, random);
  }
}

CASE("mean of 20,000 roundings") {
  for (const float x :
       {float(draw.number(1, 2)), float(draw.number(-400, -200)), float(draw.number(0.001, 0.015))}) {
    constexpr size_t kRoundings = 20000;
    const Words random = random_words(draw, kRoundings);
    WITH("x = {:.9g}", x);
    const Codes codes = STUDENT(student_codes(Floats(kRoundings, x), random));
    double sum = 0;
    for (const int code : codes) {
      CHECK((code & 127) < 127, "a rounding gave NaN");
      sum += double(table()[size_t(code & 127)]) * (code & 128 ? -1 : 1);
    }
    const auto low = size_t(below(x));
    const double unit = double(table()[low + 1]) - double(table()[low]), p = part(x);
    const double sigma = unit * std::sqrt(p * (1 - p) / kRoundings),
                 error = std::abs(sum / kRoundings - double(x));
    CHECK(error <= 5 * sigma + 1e-12,
          "the mean of the results is {:.6g}, {:.1f} standard deviations from x: the neighbour away from 0 "
          "is to "
          "come out with the probability p",
          sum / kRoundings, error / sigma);
  }
}

CASE("too large") {
  const Floats x{448.1f, 463.9f, 464.1f, 1e30f, INFINITY, std::numeric_limits<float>::max(), -449, -INFINITY};
  for (const Words& random : {Words(x.size(), 0), Words(x.size(), 0xffffffff)}) {
    const Codes codes = STUDENT(student_codes(x, random));
    for (size_t i = 0; i < x.size(); ++i) {
      CHECK((codes[i] & 127) != 127, "{} became NaN: what is larger than 448 saturates", x[i]);
      CHECK(codes[i] == (x[i] < 0 ? 0xfe : 0x7e),
            "{} became {}, expected {}: what is larger than 448 saturates", x[i], show(codes[i]),
            x[i] < 0 ? "-448" : "448");
    }
  }
  const Codes nan = STUDENT(student_codes({NAN, -NAN}, {0, 0xffffffff}));
  for (const int code : nan)
    CHECK((code & 127) == 127, "NaN became {}: a broken run would look healthy", show(code));
}
