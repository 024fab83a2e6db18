#pragma once

#include "chain.h"

// The gradient of the chain's input x, from the gradient dy of its output. Only the input of every segment of `segment`
// layers is kept; the last segment may be shorter. chain has at least one layer, and segment is from 1 to their number.
std::vector<float> gradient(const Chain& chain, Activation x, const std::vector<float>& dy, int segment);

// The segment for which the fewest activations exist at once: ceil(layers / segment) + segment is smallest.
int best_segment(int layers);
