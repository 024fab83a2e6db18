// The run that is the same for both models: tales, AdamW, warm-up and cosine.
#include "experiment.h"

#include <cmath>
#include <numbers>

#include "common/optim/adamw.h"
#include "common/tales/tales.h"

using namespace gpt2;

namespace {

// Each character of the text is its id.
std::vector<int32_t> ids_of(const std::string& text) { return {text.begin(), text.end()}; }

struct Pair {
  Tensor x, y;  // (count, kContext)
};

// The windows that begin at these places.
Pair windows(const std::vector<int32_t>& text, const std::vector<int64_t>& places) {
  std::vector<int32_t> x, y;
  for (const int64_t place : places) {
    const auto begin = text.begin() + place;
    x.insert(x.end(), begin, begin + kContext);
    y.insert(y.end(), begin + 1, begin + 1 + kContext);
  }
  const Shape shape{int64_t(places.size()), kContext};
  return {from_vector(x, shape), from_vector(y, shape)};
}

double learning_rate(int64_t step) {
  constexpr double kLargest = 3e-3;
  constexpr int64_t kWarmup = 20;
  if (step < kWarmup) return kLargest * double(step + 1) / kWarmup;
  const double done = double(step - kWarmup) / double(kSteps - kWarmup);
  return kLargest * (0.1 + 0.9 * 0.5 * (1 + std::cos(std::numbers::pi * done)));
}

double loss_on(exercise::LanguageModel& model, const Pair& windows) {
  const NoGrad no_grad;
  return cross_entropy(model(windows.x), windows.y).item();
}

}  // namespace

std::vector<double> validation_losses(Make make, uint64_t seed, int64_t steps) {
  constexpr int64_t kValWindows = 64;
  const std::vector<int32_t> text = ids_of(tales(400'000, 1)), val_text = ids_of(tales(20'000, 2));
  std::vector<int64_t> places;
  for (int64_t i = 0; i < kValWindows; ++i) places.push_back(i * kContext);
  const Pair val = windows(val_text, places);
  nn::manual_seed(seed);
  const auto model = make();
  model->to(kCpu);
  optim::AdamW optimizer(*model, {.beta2 = 0.95, .weight_decay = 0.1});
  exercise::Draw draw(seed, "batches");
  std::vector<double> losses;
  for (int64_t step = 0; step <= steps; ++step) {
    if (step % kEvery == 0) losses.push_back(loss_on(*model, val));
    if (step == steps) break;
    for (int64_t i = 0; i < kBatch; ++i)
      places[size_t(i)] = draw.integer(0, int64_t(text.size()) - kContext - 1);
    const auto [x, y] = windows(text, {places.begin(), places.begin() + kBatch});
    optimizer.zero_grad();
    cross_entropy((*model)(x), y).backward();
    optimizer.clip_grad_norm(1);
    optimizer.set_lr(learning_rate(step));
    optimizer.step();
  }
  return losses;
}
