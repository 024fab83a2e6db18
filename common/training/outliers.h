// Losses and gradient norms that are far above the recent ones: a step with such gradients is better skipped. As llm.c's
// -sl and -sg.
//
// since 17_zero
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

namespace gpt2::training {

// The last 128 values.
class RecentValues {
 public:
  // Adds a value. Returns by how many standard deviations it is above the mean of the last 128, itself included; none as
  // long as there are fewer.
  std::optional<double> z_score(double value);

  std::vector<double> from_oldest() const;
  void restore(const std::vector<double>& from_oldest);  // the last 128 of them

 private:
  static constexpr size_t kWindow = 128;

  std::vector<double> values_;
  size_t oldest_ = 0;
};

// Whether a step's update is to be skipped. Call it in every step.
class Outliers {
 public:
  // A limit of 0 never skips.
  Outliers(double loss_limit, double norm_limit) : loss_limit_(loss_limit), norm_limit_(norm_limit) {}

  bool watches() const { return loss_limit_ > 0 || norm_limit_ > 0; }

  // Adds a step's loss and norm. Returns true if one of them is more standard deviations above its mean than its limit.
  bool skips(double loss, double norm);

  // What it remembers, for a checkpoint.
  struct Recent {
    std::vector<double> losses, norms;  // the oldest first
  };
  Recent recent() const { return {losses_.from_oldest(), norms_.from_oldest()}; }
  void restore(const Recent& recent) {
    losses_.restore(recent.losses);
    norms_.restore(recent.norms);
  }

 private:
  double loss_limit_, norm_limit_;
  RecentValues losses_, norms_;
};

}  // namespace gpt2::training
