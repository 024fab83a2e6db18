// Exercise 03.1: nucleus sampling.
#include "top_p.h"

#include <algorithm>
#include <numeric>

#include "tests/exercises/todo.h"

using namespace gpt2;

namespace {

// The nucleus of one row of V probabilities.
std::vector<int32_t> nucleus_of_row(const float* row, int64_t V, double p) {
  std::vector<int32_t> order(static_cast<size_t>(V)), kept;
  std::iota(order.begin(), order.end(), 0);
  //@solution 03.1 nucleus
  std::stable_sort(order.begin(), order.end(), [row](int32_t a, int32_t b) { return row[a] > row[b]; });
  double sum = 0;
  for (const int32_t id : order) {
    if (row[id] == 0 || (!kept.empty() && sum >= p)) break;
    kept.push_back(id);
    sum += double(row[id]);
  }
  //@stub
  //| // TODO(03.1): sort the ids, and keep them until their probabilities sum to at least p.
  //| COURSE_TODO("03.1");
  //@end
  return kept;
}

}  // namespace

std::vector<std::vector<int32_t>> nucleus(const Tensor& probs, double p) {
  const auto [B, V] = probs.sizes<2>();
  const std::vector<float> rows = probs.to_vector<float>();
  std::vector<std::vector<int32_t>> kept;
  for (int64_t b = 0; b < B; ++b) kept.push_back(nucleus_of_row(&rows[size_t(b * V)], V, p));
  return kept;
}

Tensor sample_top_p(const Tensor& probs, double p, Generator& generator) {
  const auto [B, V] = probs.sizes<2>();
  const std::vector<float> rows = probs.to_vector<float>();
  std::vector<float> kept(rows.size());  // zeros
  //@solution 03.1 sample
  const auto ids = nucleus(probs, p);
  for (int64_t b = 0; b < B; ++b) {
    for (const int32_t id : ids[size_t(b)]) kept[size_t(b * V + id)] = rows[size_t(b * V + id)];
  }
  //@stub
  //| // TODO(03.1): copy the probabilities of the nucleus.
  //| COURSE_TODO("03.1");
  //@end
  return multinomial(from_vector(kept, {B, V}), generator);
}
