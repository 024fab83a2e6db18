#include "common/text/sampling.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <span>

#include "common/base/error.h"
#include "common/base/finite.h"

namespace gpt2 {
namespace {

// torch's order: NaN counts as the largest value.
bool is_larger(float a, float b) { return a > b || (std::isnan(a) && !std::isnan(b)); }

// Throws if torch.multinomial does: if a probability is infinite, NaN or negative, or if a row is all zeros.
void require_probabilities(std::span<const float> row, int64_t b) {
  double sum = 0;
  for (size_t i = 0; i < row.size(); ++i) {
    require(
        row[i] >= 0 && row[i] < std::numeric_limits<float>::infinity(),
        "sampling: probability {} of row {} is {}; it must be a finite number >= 0 (are the logits finite?)",
        i, b, without_nan_sign(row[i]));
    sum += double(row[i]);
  }
  require(sum > 0, "sampling: row {} has no probability above 0", b);
}

}  // namespace

int64_t num_drawable_ids(const Tokenizer& tokenizer, int64_t vocab_size) {
  return std::min(tokenizer.vocab_size(), vocab_size);
}

TopK topk(const Tensor& x, int64_t k) {
  const auto [B, V] = x.sizes<2>();
  k = std::min(k, V);
  const std::vector<float> rows = x.to_vector<float>();
  std::vector<float> values;
  std::vector<int32_t> indices, order(static_cast<size_t>(V));
  for (int64_t b = 0; b < B; ++b) {
    const float* row = &rows[size_t(b * V)];
    std::iota(order.begin(), order.end(), 0);
    std::partial_sort(order.begin(), order.begin() + k, order.end(), [row](int32_t i, int32_t j) {
      return is_larger(row[i], row[j]) || (!is_larger(row[j], row[i]) && i < j);
    });
    indices.insert(indices.end(), order.begin(), order.begin() + k);
    for (int64_t j = 0; j < k; ++j) values.push_back(row[order[size_t(j)]]);
  }
  return {from_vector(values, {B, k}), from_vector(indices, {B, k})};
}

Tensor multinomial(const Tensor& p, Generator& generator) {
  const auto [B, K] = p.sizes<2>();
  std::vector<float> score = p.to_vector<float>(), q(score.size());
  for (int64_t b = 0; b < B; ++b)
    require_probabilities(std::span(score).subspan(size_t(b * K), size_t(K)), b);
  generator.exponential(q);
  for (size_t i = 0; i < score.size(); ++i) score[i] /= q[i];
  std::vector<int32_t> chosen;
  for (int64_t b = 0; b < B; ++b) {
    const auto row = score.begin() + b * K;
    chosen.push_back(int32_t(std::max_element(row, row + K) - row));
  }
  return from_vector(chosen, {B, 1});
}

}  // namespace gpt2
