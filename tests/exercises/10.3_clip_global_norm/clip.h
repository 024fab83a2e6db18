#pragma once

#include <vector>

// Scales all gradients by one factor, so that their common norm is at most max_norm, which is above 0. Returns the norm from
// before. Throws gpt2::Error, and changes nothing, if a value is not finite; the message names its block: "block 2".
double clip_gradients(std::vector<std::vector<float>>& gradients, double max_norm);
