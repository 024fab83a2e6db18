// Exercise 03.2: drawing from a softmax that is never computed.
#include "gumbel.h"

#include <cmath>
#include <vector>

#include "tests/exercises/todo.h"

using namespace gpt2;

Tensor sample(const Tensor& logits, double temperature, Generator& generator) {
  const auto [B, V] = logits.sizes<2>();
  const std::vector<float> rows = logits.to_vector<float>();
  std::vector<int32_t> ids;
  //@solution 03.2
  std::vector<float> q(rows.size());
  generator.exponential(q);
  for (int64_t b = 0; b < B; ++b) {
    const auto score = [&, row = b * V](int64_t id) {
      const size_t i = size_t(row + id);
      return double(rows[i]) / temperature - std::log(double(q[i]));
    };
    int64_t best = 0;
    for (int64_t id = 1; id < V; ++id) {
      if (score(id) > score(best)) best = id;
    }
    ids.push_back(int32_t(best));
  }
  //@stub
  //| // TODO(03.2): generator.exponential fills a vector; the largest score of a row wins.
  //| COURSE_TODO("03.2");
  //@end
  return from_vector(ids, {B, 1});
}
