#include "stochastic.h"

#include <bit>
#include <limits>
#include <set>

#include "common/kernels/philox.h"
#include "tests/exercises/device.h"

namespace {

using Floats = std::vector<float>;
using Words = std::vector<uint32_t>;

uint32_t bits_of(float x) { return std::bit_cast<uint32_t>(x); }

std::string show(float x) { return fmt::format("{:.9g} ({:#010x})", x, bits_of(x)); }

// In units of the last kept place: x is `count` units and `rest` of one.
struct Place {
  double unit, count, rest;
};
Place place_of(float x, int kept) {
  const int exponent = x == 0 ? -126 : std::max(std::ilogb(x), -126);  // subnormals have the unit of 2^-126
  const double unit = std::ldexp(1.0, exponent - kept), units = std::abs(double(x)) / unit;
  return {unit, std::floor(units), units - std::floor(units)};
}

float neighbour(float x, int kept, bool up) {
  const Place place = place_of(x, kept);
  const double value = (place.count + up) * place.unit;
  const float result = value >= 0x1p128 ? std::numeric_limits<float>::infinity() : float(value);
  return std::copysign(result, x);
}

// Works on values: up if the rest, and the random bits as a part of a unit, make a whole one.
float oracle(float x, int kept, uint32_t random) {
  if (!std::isfinite(x)) return x;
  const double part = std::fmod(double(random), std::ldexp(1.0, 23 - kept)) / std::ldexp(1.0, 23 - kept);
  return neighbour(x, kept, place_of(x, kept).rest + part >= 1);
}

float nearest(float x, int kept) { return neighbour(x, kept, place_of(x, kept).rest > 0.5); }

// Any finite number, its bits equally likely.
float any_float(Draw& draw) {
  float x = NAN;
  while (!std::isfinite(x)) x = std::bit_cast<float>(uint32_t(draw.integer(0, 0xffffffff)));
  return x;
}

Words random_words(Draw& draw, int64_t n) {
  Words words;
  for (int64_t i = 0; i < n; ++i) words.push_back(uint32_t(draw.integer(0, 0xffffffff)));
  return words;
}

Floats rounded(const Floats& x, int kept, const Words& random) {
  Floats results;
  for (size_t i = 0; i < x.size(); ++i) results.push_back(round_stochastically(x[i], kept, random[i]));
  return results;
}

// The mean, the smallest and the largest result of rounding x with each of the words.
std::array<double, 3> summary(float x, int kept, const Words& random) {
  double sum = 0, low = INFINITY, high = -INFINITY;
  for (const uint32_t word : random) {
    const double y = round_stochastically(x, kept, word);
    sum += y, low = std::min(low, y), high = std::max(high, y);
  }
  return {sum / double(random.size()), low, high};
}

// `steps` steps with the same updates.
Floats trained(Floats weights, const Floats& updates, int kept, uint64_t seed, uint32_t steps) {
  for (uint32_t step = 0; step < steps; ++step)
    add_on_cpu(weights.data(), updates.data(), int64_t(weights.size()), kept, seed, step);
  return weights;
}

Floats added_on_gpu(const Floats& weights, const Floats& updates, int kept, uint64_t seed, uint32_t step) {
  const OnDevice<float> w(weights), u(updates);
  add_on_gpu(kStream, w, u, int64_t(weights.size()), kept, seed, step);
  return w.values();
}

Floats added_on_cpu(Floats weights, const Floats& updates, int kept, uint64_t seed, uint32_t step) {
  add_on_cpu(weights.data(), updates.data(), int64_t(weights.size()), kept, seed, step);
  return weights;
}

// The sums with the random word that `counter` (a group, a word of it) and step give.
template <class Counter>
Floats oracle_sums(const Floats& weights, const Floats& updates, int kept, uint64_t seed, uint32_t step,
                   const Counter& counter) {
  Floats sums;
  for (size_t i = 0; i < weights.size(); ++i) {
    const std::pair<uint32_t, int> at = counter(uint32_t(i));
    const gpt2::PhiloxWords words = gpt2::philox({at.first, 0, step, 0}, seed);
    sums.push_back(oracle(weights[i] + updates[i], kept,
                          std::array{words.a, words.b, words.c, words.d}[size_t(at.second)]));
  }
  return sums;
}

void check_sums(const Floats& sums, const Floats& weights, const Floats& updates, int kept, uint64_t seed,
                uint32_t step) {
  const auto all = [&](uint32_t at_step, const auto& counter) {
    return oracle_sums(weights, updates, kept, seed, at_step, counter);
  };
  const auto each_word = [](uint32_t i) { return std::pair(i / 4, int(i % 4)); };
  const Floats right = all(step, each_word);
  if (sums == right) return;
  CHECK(sums != all(step, [](uint32_t i) { return std::pair(i / 4, 0); }),
        "four neighbours get the same random bits: value i takes word i % 4 of its group");
  CHECK(sums != all(step, [](uint32_t i) { return std::pair(i, 0); }),
        "each value has a Philox of its own, and throws three of its four words away: the group is i / 4");
  CHECK(sums != all(0, each_word), "the random bits do not depend on the step");
  CHECK_EQUAL(sums, right, "not the sums with the random bits of value i, seed {} and step {}", seed, step);
}

}  // namespace

CASE("exact values") {
  for (const int kept : {7, 10, int(draw.integer(3, 20))}) {
    Floats x{0.0f, -0.0f, 1, -1, 256, INFINITY, -INFINITY, 0x1p-126f, -0x1p127f};
    for (int i = 0; i < 200; ++i) x.push_back(neighbour(any_float(draw), kept, false));
    const Words random = random_words(draw, int64_t(x.size()));
    WITH("kept = {}", kept);
    const Floats y = STUDENT(rounded(x, kept, random));
    for (size_t i = 0; i < x.size(); ++i)
      CHECK(bits_of(x[i]) == bits_of(y[i]), "{} needs no rounding, but it became {}", show(x[i]), show(y[i]));
    const Floats nan{NAN, -NAN, std::bit_cast<float>(0x7f800001), std::bit_cast<float>(0x7fffffff),
                     std::bit_cast<float>(0xffffffff)};
    const Floats still = STUDENT(rounded(nan, kept, Words(nan.size(), 0xffffffff)));
    for (size_t i = 0; i < nan.size(); ++i)
      CHECK(std::isnan(still[i]),
            "the NaN {:#010x} became {}: a carry, or dropped bits, made a number or infinity of it",
            bits_of(nan[i]), show(still[i]));
  }
}

CASE("up or down") {
  for (const int kept : {7, 10, int(draw.integer(3, 20))}) {
    Floats x{0x1.fffffep127f, -0x1.fffffep127f, 0x1p-149f, -0x1.8p-130f, 1.9999f};
    for (int i = 0; i < 500; ++i) x.push_back(any_float(draw));
    for (const auto& random :
         {Words(x.size(), 0), Words(x.size(), 0xffffffff), random_words(draw, int64_t(x.size()))}) {
      WITH("kept = {}", kept);
      const Floats y = STUDENT(rounded(x, kept, random));
      for (size_t i = 0; i < x.size(); ++i) {
        const float down = neighbour(x[i], kept, false), up = neighbour(x[i], kept, true);
        CHECK(y[i] == down || y[i] == up, "{} became {}, but its neighbours are {} and {}", show(x[i]),
              show(y[i]), show(down), show(up));
        CHECK(y[i] == oracle(x[i], kept, random[i]),
              "{} with the random bits {:#010x} became {}, expected {}", show(x[i]), random[i], show(y[i]),
              show(oracle(x[i], kept, random[i])));
      }
    }
  }
}

CASE("mean of 100,000 roundings") {
  for (const int kept : {7, 10, int(draw.integer(3, 16))}) {
    const int64_t size = draw.integer(1, 6);
    const float x = float(draw.pick({-1.0, 1.0}) * draw.number(1, 2) * std::exp2(double(size)));
    const Words random = random_words(draw, 100000);
    WITH("kept = {}, x = {:.9g}", kept, x);
    const auto y = STUDENT(summary(x, kept, random));
    const Place place = place_of(x, kept);
    const double sigma = place.unit * std::sqrt(place.rest * (1 - place.rest) / 100000);
    CHECK(y[1] != y[2] || y[1] != double(nearest(x, kept)) || place.rest < 1e-3 || place.rest > 1 - 1e-3,
          "all 100,000 results are {:.9g}, the nearest one: the random bits are to decide", y[1]);
    CHECK(std::abs(y[0] - double(x)) <= 5 * sigma + 1e-12,
          "the mean of 100,000 results is {:.9g}, {:.1f} standard deviations from x: up must be as likely as "
          "x is "
          "near to the upper neighbour",
          y[0], std::abs(y[0] - double(x)) / sigma);
  }
}

CASE("small updates") {
  const int64_t n = 256, steps = 128;
  const uint64_t seed = uint64_t(draw.integer(1, 1 << 30));
  WITH("256 weights of 1, bf16, 128 times + 1/4096");
  const Floats weights =
      STUDENT(trained(Floats(size_t(n), 1), Floats(size_t(n), 0x1p-12f), 7, seed, uint32_t(steps)));
  const auto [low, high] = std::minmax_element(weights.begin(), weights.end());
  CHECK(*low != 1 || *high != 1,
        "all weights are still 1: each update is less than half a unit, 1/256, and is lost");
  CHECK(*low != *high, "all weights are {}: each needs random bits of its own", *low);
  CHECK(std::set<float>(weights.begin(), weights.end()).size() > 2,
        "a weight is either {} or {}: each gets the same random bits at every step", *low, *high);
  const double mean = std::accumulate(weights.begin(), weights.end(), 0.0) / double(n);
  // 128 draws of 1/32 for each weight: the deviation of one is 1.97 units of 1/128, that of the mean a 16th.
  CHECK(std::abs(mean - 1.03125) <= 5 * 1.97 / 128 / 16,
        "the mean of the weights is {:.5f}, expected about 1.03125", mean);
}

CASE("CPU and GPU") {
  for (const int64_t n : {draw.integer(300, 1000), int64_t{129}, int64_t{7}, int64_t{1}}) {
    const auto weights = draw.uniform(n, -1, 1), updates = draw.uniform(n, -1e-2, 1e-2);
    const uint64_t seed = uint64_t(draw.integer(1, int64_t{1} << 60));
    const uint32_t step = uint32_t(draw.integer(1, 1 << 20));
    const int kept = draw.pick({7, 10});
    WITH("CPU, n = {}, kept = {}", n, kept);
    const Floats cpu = STUDENT(added_on_cpu(weights, updates, kept, seed, step));
    check_sums(cpu, weights, updates, kept, seed, step);
    WITH("GPU, n = {}, kept = {}", n, kept);
    const Floats gpu = STUDENT(added_on_gpu(weights, updates, kept, seed, step));
    check_sums(gpu, weights, updates, kept, seed, step);
  }
}
