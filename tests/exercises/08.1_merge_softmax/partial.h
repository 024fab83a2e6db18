#pragma once

// The softmax of some of the keys' scores s_i, and the sum of their values v_i weighted with it.
struct Partial {
  float m;  // max s_i; -inf: no key
  float l;  // sum exp(s_i - m)
  float a;  // sum exp(s_i - m) v_i
};

// A single key. If its score is -inf, it is masked: the result is that of no key, {-inf, 0, 0}.
Partial partial_of(float score, float value);

// The keys of x and y together.
Partial merge(const Partial& x, const Partial& y);

// The mean of the values, weighted with the softmax of the scores; there is at least one key.
float output(const Partial& x);
