#include "common/tensor/rows.h"

namespace gpt2 {

Tensor gather(const Tensor& x, const Tensor& indices) {
  const auto [B, K] = x.sizes<2>();
  const std::vector<int32_t> values = x.to_vector<int32_t>(), columns = indices.to_vector<int32_t>();
  const int64_t J = indices.size(1);
  std::vector<int32_t> gathered;
  for (size_t i = 0; i < columns.size(); ++i) {
    gathered.push_back(values[size_t(int64_t(i) / J * K) + size_t(columns[i])]);
  }
  return from_vector(gathered, {B, J});
}

Tensor cat(const Tensor& x, const Tensor& y) {
  const auto [B, T] = x.sizes<2>();
  const int64_t U = y.size(1);
  const std::vector<int32_t> left = x.to_vector<int32_t>(), right = y.to_vector<int32_t>();
  std::vector<int32_t> both;
  for (int64_t b = 0; b < B; ++b) {
    both.insert(both.end(), left.begin() + b * T, left.begin() + (b + 1) * T);
    both.insert(both.end(), right.begin() + b * U, right.begin() + (b + 1) * U);
  }
  return from_vector(both, {B, T + U}, x.device());
}

Tensor last(const Tensor& x, int64_t n) {
  const auto [B, T] = x.sizes<2>();
  if (T <= n) return x;
  const std::vector<int32_t> ids = x.to_vector<int32_t>();
  std::vector<int32_t> ends;
  for (int64_t b = 1; b <= B; ++b) ends.insert(ends.end(), ids.begin() + b * T - n, ids.begin() + b * T);
  return from_vector(ends, {B, n}, x.device());
}

std::vector<int32_t> row(const Tensor& x, int64_t b) {
  const std::vector<int32_t> ids = x.to_vector<int32_t>();
  const int64_t T = x.size(1);
  return {ids.begin() + b * T, ids.begin() + (b + 1) * T};
}

}  // namespace gpt2
