#include "scaler.h"

#include <functional>

#include "tests/exercises/exercise.h"

namespace {

constexpr double kLargestHalf = 65504;  // beyond it a float16 is infinite

struct Step {
  double scale = 0;  // that the step began with
  int calls = 0;     // of update
  bool result = false;
};

// Trains for sizes.size() steps; the largest gradient of step i is sizes[i], times the scale.
std::vector<Step> train(const LossScalerOptions& options, const std::vector<float>& sizes) {
  LossScaler scaler(options);
  std::vector<Step> steps;
  for (const float size : sizes) {
    Step step{scaler.scale()};
    const double largest = size * step.scale;
    std::vector<float> gradients{0, float(largest / 3), largest > kLargestHalf ? -INFINITY : -float(largest)};
    step.result = scaler.step(gradients, [&] { ++step.calls; });
    steps.push_back(step);
  }
  return steps;
}

struct Rules {
  bool overflow_resets = true, growth_resets = true;
  int64_t late = 0;
};

// The scale that each step begins with.
std::vector<double> oracle(const LossScalerOptions& options, const std::vector<float>& sizes,
                           Rules rules = {}) {
  std::vector<double> scales;
  double scale = options.initial;
  int64_t good = 0;
  for (const float size : sizes) {
    scales.push_back(scale);
    const bool overflow = !(size * scale <= kLargestHalf);
    good += !overflow;
    if (overflow) {
      scale *= options.backoff;
      if (rules.overflow_resets) good = 0;
    } else if (good >= options.interval + rules.late) {
      scale *= options.growth;
      if (rules.growth_resets) good = 0;
    }
    scale = std::clamp(scale, options.smallest, options.largest);
  }
  return scales;
}

std::vector<double> scales_of(const std::vector<Step>& steps) {
  std::vector<double> scales;
  for (const Step& step : steps) scales.push_back(step.scale);
  return scales;
}

void check_scales(const std::vector<double>& scales, const LossScalerOptions& options,
                  const std::vector<float>& sizes) {
  const auto right = oracle(options, sizes);
  if (scales == right) return;
  CHECK(scales != std::vector<double>(scales.size(), options.initial),
        "the scale stays {}: it must shrink after an overflow and grow after good steps", options.initial);
  CHECK(scales != oracle(options, sizes, {.overflow_resets = false}),
        "the count of good steps goes on after an overflow: it must begin at 0 again");
  CHECK(scales != oracle(options, sizes, {.growth_resets = false}),
        "the count of good steps goes on after the scale has grown, so it grows at every step from there on");
  CHECK(scales != oracle(options, sizes, {.late = 1}), "the scale grows one step late: after {} good steps",
        options.interval + 1);
  CHECK_EQUAL(scales, right, "not the scales that the rules give; value i is the scale of step i");
}

// 1 for calls that did update, and the gradients that the optimizer saw (or those after the step).
std::pair<int, std::vector<float>> one_step(LossScaler& scaler, std::vector<float> gradients) {
  int calls = 0;
  std::vector<float> seen = gradients;
  const bool result = scaler.step(gradients, [&] { ++calls, seen = gradients; });
  return {result == (calls > 0) ? calls : -1, seen};
}

// Steps on scaled copies of these gradients: what the optimizer sees in each step.
std::vector<std::vector<float>> seen_in(const LossScalerOptions& options,
                                        const std::vector<std::vector<float>>& all) {
  LossScaler scaler(options);
  std::vector<std::vector<float>> seen;
  for (std::vector<float> gradients : all) {
    for (float& value : gradients) value = float(value * scaler.scale());
    seen.push_back(one_step(scaler, gradients).second);
  }
  return seen;
}

std::vector<double> times(const std::vector<float>& x, double factor) {
  std::vector<double> result;
  for (const float value : x) result.push_back(value * factor);
  return result;
}

}  // namespace

CASE("500 steps") {
  for (const int64_t interval : {int64_t{1}, draw.integer(5, 9), draw.integer(10, 30)}) {
    const LossScalerOptions options{.initial = draw.pick({1024.0, 65536.0}),
                                    .growth = draw.pick({2.0, 4.0}),
                                    .backoff = draw.pick({0.5, 0.25}),
                                    .interval = interval};
    WITH("initial {}, growth {}, backoff {}, interval {}", options.initial, options.growth, options.backoff,
         interval);
    std::vector<float> sizes;
    for (int i = 0; i < 500; ++i)
      sizes.push_back(float(std::exp2(draw.number(-6, 2) + (draw.integer(0, 40) == 0 ? 8 : 0))));
    const auto steps = STUDENT(train(options, sizes));
    check_scales(scales_of(steps), options, sizes);
    for (size_t i = 0; i < steps.size(); ++i) {
      const int expected = sizes[i] * steps[i].scale <= kLargestHalf;
      CHECK(steps[i].calls == expected, "step {}: update was called {} times, expected {}", i, steps[i].calls,
            expected);
      CHECK(steps[i].result == (expected == 1), "step {}: step() returned {}, expected {}", i,
            steps[i].result, expected == 1);
    }
  }
}

CASE("overflow") {
  const int64_t n = draw.integer(5, 50);
  for (const auto& [name, bad] : std::vector<std::pair<std::string, std::vector<float>>>{
           {"the last gradient is infinite", {INFINITY}},
           {"the last gradient is NaN", {NAN}},
           {"the last gradients are inf and -inf", {INFINITY, -INFINITY}},
           {"NaN comes before 3", {NAN, 3}},
           {"the largest gradients are 3e38, finite", {3e38f, 3e38f, -3e38f}}}) {
    auto gradients = draw.normal(n);
    gradients.insert(gradients.end(), bad.begin(), bad.end());
    WITH("{} gradients, {}", gradients.size(), name);
    const auto result = STUDENT([&] {
      LossScaler scaler(LossScalerOptions{.initial = 8});
      const int calls = one_step(scaler, gradients).first;
      return std::pair(calls, scaler.scale());
    }());
    const bool finite = std::isfinite(bad[0]);
    CHECK(result.first >= 0, "step() must return whether update was called");
    CHECK(!finite || result.first == 1,
          "update was not called, though every gradient is finite: test each one itself");
    CHECK(finite || result.first == 0,
          "update was called, and the weights are NaN from now on: every comparison with NaN is false, so is "
          "std::max's");
    CHECK_EQUAL(result.second, finite ? 8.0 : 4.0, "the scale after this step is wrong; it was 8");
  }
}

CASE("gradients that the optimizer sees") {
  for (const double initial : {1024.0, 1000.0}) {
    const LossScalerOptions options{.initial = initial, .interval = 2};
    std::vector<std::vector<float>> all;
    for (int i = 0; i < 6; ++i) all.push_back(draw.normal(draw.integer(3, 9), 0, 1e-4));
    const auto seen = STUDENT(seen_in(options, all));
    const auto scales = oracle(options, std::vector<float>(all.size(), 0));
    for (size_t i = 0; i < all.size(); ++i) {
      WITH("step {}, scale {}", i, scales[i]);
      CHECK(!close(seen[i], times(all[i], scales[i]), 1e-3),
            "they are still multiplied by the scale. AdamW forgives a constant factor, but this one changes "
            "while the "
            "moments remember the old one; and clipping does not forgive it");
      CHECK(!close(seen[i], times(all[i], 0.5), 1e-3),
            "they are divided by the scale of the next step, which has grown: divide first, then adapt the "
            "scale");
      CHECK_CLOSE(seen[i], times(all[i], 1), 1e-6, "they are to be the gradients of the loss itself");
    }
  }
}

CASE("limits") {
  const LossScalerOptions options{.initial = 4096,
                                  .interval = 1,
                                  .smallest = draw.pick({1.0, 3.0}),
                                  .largest = draw.pick({65536.0, 100000.0})};
  const std::vector<float> bad(30, INFINITY), tiny(30, 0);
  WITH("30 overflows, smallest {}", options.smallest);
  const auto down = scales_of(STUDENT(train(options, bad)));
  CHECK(down.back() >= options.smallest,
        "the scale shrinks to {}: a broken model drives it to 0, and then gradient / scale is NaN for good",
        down.back());
  check_scales(down, options, bad);
  WITH("30 good steps, largest {}", options.largest);
  const auto up = scales_of(STUDENT(train(options, tiny)));
  CHECK(up.back() <= options.largest, "the scale grows to {}: keep it at the largest one", up.back());
  check_scales(up, options, tiny);
}
