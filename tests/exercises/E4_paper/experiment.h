#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "tests/exercises/exercise.h"
#include "tests/exercises/training.h"

constexpr int64_t kSteps = 400, kEvery = 20;  // of a whole run; the validation loss is taken every 20 steps
constexpr int64_t kBatch = 8, kContext = 64;  // B and T of a batch

// The sizes of the baseline, 110,000 parameters. An idea may have up to 10% more.
inline const gpt2::HfConfig kSizes{
    .vocab_size = 128, .n_positions = kContext, .n_embd = 64, .n_layer = 2, .n_head = 4, .eos_token_id = {}};

inline std::unique_ptr<exercise::LanguageModel> make_baseline() {
  return std::make_unique<exercise::GPT>(kSizes);
}

// The baseline with the idea. To be written.
std::unique_ptr<exercise::LanguageModel> make_idea();

// The seeds of the three runs of each model. Yours: they follow from your id in the course.
inline std::array<uint64_t, 3> own_seeds() {
  exercise::Draw draw = exercise::draw_of_student("seeds of E4");
  std::set<uint64_t> seeds;
  while (seeds.size() < 3) seeds.insert(uint64_t(draw.integer(1, 1'000'000)));
  const std::vector<uint64_t> sorted(seeds.begin(), seeds.end());
  return {sorted[0], sorted[1], sorted[2]};
}

using Make = std::unique_ptr<exercise::LanguageModel> (*)();

// The first `steps` steps, a multiple of 20, of a run of kSteps: the validation losses before steps 0, 20,
// 40, ... and after the last one. The seed draws the weights and the batches.
std::vector<double> validation_losses(Make make, uint64_t seed, int64_t steps);
