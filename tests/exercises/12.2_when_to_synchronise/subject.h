#pragma once

#include <cstdint>
#include <string>
#include <vector>

struct Settings {
  int ranks = 1;
  int micro_batches = 1;  // of each rank in a step
  int steps = 1;
  double learning_rate = 0.05;
  double max_norm = 0;  // gradients are clipped to this norm; 0: no clipping
};

struct Trained {
  std::vector<std::vector<double>> weights;  // of each rank, after the last step
  std::vector<double> losses;                // of each step, as rank 0 prints it
  int64_t rounds = 0;                        // how often all gradients were averaged over the ranks
};

// What is tested: trains a small model on several ranks, which live in one process and take turns. Step after
// step reads the next ranks * micro_batches batches of one row of batches; so one rank with 6 micro-batches reads
// what 3 ranks with 2 read.
Trained train(const Settings& settings);

// What the student writes: an empty string if train is right, otherwise what is wrong with it.
std::string check_training();
