#pragma once

#include "tiles.h"

// Causal attention with a window of W >= 1 keys, for one head: query t sees the keys max(0, t - W + 1) ... t.
// Scores are scale * (q[t] . k[j]). Returns y (T, hs).
std::vector<float> window_attention(const Rows& q, const Rows& k, const Rows& v, int64_t W, float scale);
