#pragma once

#include <vector>

#include "common/text/sampling.h"

// For each row of probs (B, V), which sums to 1: the most probable ids, in order, until their probabilities sum to at
// least p; 0 <= p <= 1. Of equal probabilities the lower id comes first. At least one id, and none with probability 0.
std::vector<std::vector<int32_t>> nucleus(const gpt2::Tensor& probs, double p);

// Draws one id for each row of probs (B, V) from its nucleus -> (B, 1) int32.
gpt2::Tensor sample_top_p(const gpt2::Tensor& probs, double p, gpt2::Generator& generator);
