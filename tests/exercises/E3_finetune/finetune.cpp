// Exercise E3: the same run twice, from nothing and from a pretrained model.
#include "finetune.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "common/data/loader.h"
#include "common/optim/adamw.h"
#include "tests/exercises/todo.h"

using namespace gpt2;
using exercise::GPT;

std::unique_ptr<GPT> first_model(Beginning beginning) {
  const HfConfig config = read_hf_config(pretrained_folder());
  //@solution E3 first model
  nn::manual_seed(1337);
  auto model = std::make_unique<GPT>(config);
  if (beginning == Beginning::tales) nn::load(*model, pretrained_folder());
  model->to(kCpu);
  return model;
  //@stub
  //| // TODO(E3): nn::load(*model, pretrained_folder()) reads the pretrained weights.
  //| return COURSE_TODO("E3");
  //@end
}

double loss_on(GPT& model, const std::vector<int32_t>& text) {
  //@solution E3 validation
  const NoGrad no_grad;
  const int64_t windows = (int64_t(text.size()) - 1) / kContext;
  DataLoaderLite loader(text, 1, kContext, kCpu);
  double sum = 0;
  for (int64_t i = 0; i < windows; ++i) {
    const auto [x, y] = loader.next_batch();
    sum += cross_entropy(model(x), y).item();
  }
  return sum / double(windows);
  //@stub
  //| // TODO(E3): the mean over all windows, without recording.
  //| return COURSE_TODO("E3");
  //@end
}

double learning_rate(Beginning beginning, int64_t step) {
  //@solution E3 rate
  constexpr int64_t kWarmup = 10;
  const double largest = beginning == Beginning::tales ? 1e-3 : 3e-3;
  if (step < kWarmup) return largest * double(step + 1) / kWarmup;
  const double done = double(step - kWarmup) / double(kSteps - kWarmup);
  return largest * (0.1 + 0.9 * 0.5 * (1 + std::cos(std::numbers::pi * done)));
  //@stub
  //| // TODO(E3): as in chapter 10. Which of the two models should take the smaller steps?
  //| return COURSE_TODO("E3");
  //@end
}

Log train(GPT& model, const Texts& texts, Beginning beginning, int64_t steps) {
  //@solution E3 train
  Log log;
  DataLoaderLite loader(texts.train, kBatch, kContext, kCpu);
  optim::AdamW optimizer(model, {.beta2 = 0.95, .weight_decay = 0.1});
  for (int64_t step = 0; step <= steps; ++step) {
    if (step % kEvery == 0) log.val.push_back(loss_on(model, texts.val));
    if (step == steps) break;
    const auto [x, y] = loader.next_batch();
    optimizer.zero_grad();
    const Tensor loss = cross_entropy(model(x), y);
    loss.backward();
    optimizer.clip_grad_norm(1);
    optimizer.set_lr(learning_rate(beginning, step));
    optimizer.step();
    log.train.push_back(loss.item());
  }
  return log;
  //@stub
  //| // TODO(E3): the loop of chapter 10, with a validation loss every kEvery steps.
  //| return COURSE_TODO("E3");
  //@end
}
