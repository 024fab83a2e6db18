#pragma once

#include <cstdint>

struct LionOptions {
  double lr = 1e-4, beta1 = 0.9, beta2 = 0.99, weight_decay = 0;
};

// One step of Lion: updates n weights w and their momentum m from the gradients g. Weight decay applies to
// the first `decayed` weights only.
void lion(float* w, const float* g, float* m, int64_t n, int64_t decayed, const LionOptions& options);
