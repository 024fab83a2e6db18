#pragma once

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "tests/exercises/exercise.h"
#include "tests/exercises/training.h"

constexpr int64_t kBatch = 4, kContext = 64;  // B and T of a batch
constexpr int64_t kSteps = 200, kEvery = 20;  // of a whole run; the validation loss is taken every 20 steps
constexpr int64_t kTrain = 25'601, kVal = 2561;  // bytes

enum class Beginning { nothing, tales };

inline std::string name_of(Beginning beginning) {
  return beginning == Beginning::tales ? "tales" : "nothing";
}

// The folder of the pretrained model, and its sizes.
inline std::string pretrained_folder() {
  return std::string(std::getenv("COURSE_ROOT")) + "/data/tales-gpt2";
}

// Two texts as ids. The vocabulary is that of the pretrained model: an id is a byte.
struct Texts {
  std::vector<int32_t> train, val;
};

// A piece of Shakespeare at a place that a draw gives, and the text behind it.
inline Texts drawn_texts(exercise::Draw& draw) {
  const std::string text =
      exercise::text_of(std::string(std::getenv("EXERCISE_FOLDER")) + "/shakespeare.txt");
  const auto begin = text.begin() + draw.integer(0, int64_t(text.size()) - kTrain - kVal);
  return {{begin, begin + kTrain}, {begin + kTrain, begin + kTrain + kVal}};
}

// Yours: they follow from your id in the course.
inline Texts own_texts() {
  exercise::Draw draw = exercise::draw_of_student("texts of E3");
  return drawn_texts(draw);
}

// The loss of each step, and the validation loss before steps 0, 20, 40, ... and after the last one, if their
// number is a multiple of 20.
struct Log {
  std::vector<double> train, val;
};

// ---- to be written

// A model of the pretrained one's sizes: with its weights, or with those of a new GPT after
// nn::manual_seed(1337). Its parameters lie side by side (to(kCpu)), so that AdamW can train it.
std::unique_ptr<exercise::GPT> first_model(Beginning beginning);

// The mean loss over all whole windows of the text. The first window has the inputs 0 to kContext - 1 and the
// targets 1 to kContext; the next one begins at kContext. Records nothing for backward().
double loss_on(exercise::GPT& model, const std::vector<int32_t>& text);

// The learning rate of a step of a run of kSteps. You choose it.
double learning_rate(Beginning beginning, int64_t step);

// The first `steps` steps of a run, on the batches of DataLoaderLite in their order.
Log train(exercise::GPT& model, const Texts& texts, Beginning beginning, int64_t steps);
