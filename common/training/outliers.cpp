#include "common/training/outliers.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace gpt2::training {

std::optional<double> RecentValues::z_score(double value) {
  if (values_.size() < kWindow) {
    values_.push_back(value);
    return std::nullopt;
  }
  values_[oldest_] = value;
  oldest_ = (oldest_ + 1) % kWindow;
  const double mean = std::accumulate(values_.begin(), values_.end(), 0.0) / double(kWindow);
  double variance = 0;
  for (const double each : values_) variance += (each - mean) * (each - mean) / double(kWindow);
  return variance > 0 ? (value - mean) / std::sqrt(variance) : 0;
}

std::vector<double> RecentValues::from_oldest() const {
  std::vector<double> values(values_.begin() + std::ptrdiff_t(oldest_), values_.end());
  values.insert(values.end(), values_.begin(), values_.begin() + std::ptrdiff_t(oldest_));
  return values;
}

void RecentValues::restore(const std::vector<double>& from_oldest) {
  const size_t n = std::min(kWindow, from_oldest.size());
  values_.assign(from_oldest.end() - std::ptrdiff_t(n), from_oldest.end());
  oldest_ = 0;
}

bool Outliers::skips(double loss, double norm) {
  const std::optional<double> of_loss = losses_.z_score(loss), of_norm = norms_.z_score(norm);
  const auto is_beyond = [](const std::optional<double>& z, double limit) {
    return limit > 0 && z && *z > limit;
  };
  return is_beyond(of_loss, loss_limit_) || is_beyond(of_norm, norm_limit_);
}

}  // namespace gpt2::training
