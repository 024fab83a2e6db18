// Causal attention in double, with its T x T matrix, for the tests of flash attention. Unlike the kernels it
// does not shift the exponentials, which is correct for scores between -700 and 700, and it computes the
// gradient of the scores from pairs of probabilities, not from a dot product of y and dy.
#pragma once

#include "tests/common/oracle.h"

namespace gpt2::testing::oracle {

// All matrices: (B * heads, T, hs), contiguous.
struct AttentionInputs {
  Values q, k, v;
  int64_t T, hs;
  double scale;

  double score(size_t head, int64_t i, int64_t j) const {
    double product = 0;
    for (int64_t c = 0; c < hs; ++c) product += q[at(head, i, c)] * k[at(head, j, c)];
    return scale * product;
  }
  size_t at(size_t head, int64_t t, int64_t c) const {
    return (head * size_t(T) + size_t(t)) * size_t(hs) + size_t(c);
  }
  size_t heads() const { return q.size() / size_t(T * hs); }
};

// The attention weights of the keys j <= i.
inline Values attention_weights(const AttentionInputs& in, size_t head, int64_t i) {
  Values weights;
  double sum = 0;
  for (int64_t j = 0; j <= i; ++j) {
    weights.push_back(std::exp(in.score(head, i, j)));
    sum += weights.back();
  }
  for (double& weight : weights) weight /= sum;
  return weights;
}

inline Values attention(const AttentionInputs& in) {
  Values y(in.q.size());
  for (size_t head = 0; head < in.heads(); ++head) {
    for (int64_t i = 0; i < in.T; ++i) {
      const Values p = attention_weights(in, head, i);
      for (int64_t c = 0; c < in.hs; ++c) {
        for (int64_t j = 0; j <= i; ++j) y[in.at(head, i, c)] += p[size_t(j)] * in.v[in.at(head, j, c)];
      }
    }
  }
  return y;
}

// (B * heads, T)
inline Values attention_log_sum_exp(const AttentionInputs& in) {
  Values result;
  for (size_t head = 0; head < in.heads(); ++head) {
    for (int64_t i = 0; i < in.T; ++i) {
      double sum = 0;
      for (int64_t j = 0; j <= i; ++j) sum += std::exp(in.score(head, i, j));
      result.push_back(std::log(sum));
    }
  }
  return result;
}

// dq and dk are differences. If one key has nearly all the weight, they are much smaller than their terms,
// but the terms' rounding errors remain. So errors are measured relative to *_terms, the sums of the terms'
// magnitudes.
struct AttentionGradients {
  Values dq, dk, dv, dq_terms, dk_terms;
};

// ds_j = sum_k p_j p_k (dp_j - dp_k), where dp_j = dy . v_j
inline AttentionGradients attention_backward(const AttentionInputs& in, const Values& dy) {
  const Values zeros(in.q.size());
  AttentionGradients g{zeros, zeros, zeros, zeros, zeros};
  for (size_t head = 0; head < in.heads(); ++head) {
    for (int64_t i = 0; i < in.T; ++i) {
      const Values p = attention_weights(in, head, i);
      Values dp(p.size());
      for (size_t j = 0; j < p.size(); ++j) {
        for (int64_t c = 0; c < in.hs; ++c) {
          dp[j] += dy[in.at(head, i, c)] * in.v[in.at(head, int64_t(j), c)];
          g.dv[in.at(head, int64_t(j), c)] += p[j] * dy[in.at(head, i, c)];
        }
      }
      for (size_t j = 0; j < p.size(); ++j) {
        double ds = 0;
        for (size_t k = 0; k < p.size(); ++k) ds += p[j] * p[k] * (dp[j] - dp[k]);
        for (int64_t c = 0; c < in.hs; ++c) {
          const size_t query = in.at(head, i, c), key = in.at(head, int64_t(j), c);
          g.dq[query] += in.scale * ds * in.k[key];
          g.dk[key] += in.scale * ds * in.q[query];
          g.dq_terms[query] += in.scale * p[j] * std::abs(dp[j] * in.k[key]);
          g.dk_terms[key] += in.scale * p[j] * std::abs(dp[j] * in.q[query]);
        }
      }
    }
  }
  return g;
}

}  // namespace gpt2::testing::oracle
