#include "ranks.h"

#include <cmath>

namespace {

constexpr int kWeights = 3, kExamples = 4;  // of a batch

// The i-th input of an example: between -1 and 1, and different in each batch.
double input(int64_t batch, int example, int i) {
  return std::sin(double(batch * kExamples + example) * (1.7 + i) + i);
}
double target(int64_t batch, int example) { return 2 * std::sin(double(batch * kExamples + example) * 0.9); }

}  // namespace

Ranks::Ranks(int ranks)
    : weights_(size_t(ranks), {0.5, -1, 2}),
      gradients_(size_t(ranks), std::vector<double>(kWeights)),
      new_gradients_(gradients_) {}

void Ranks::zero_grad() {
  for (auto& gradient : gradients_) gradient.assign(kWeights, 0);
}

double Ranks::forward(int64_t first_batch) {
  sync_ = require_backward_grad_sync;
  double loss = 0;
  for (size_t rank = 0; rank < weights_.size(); ++rank) {
    new_gradients_[rank].assign(kWeights, 0);
    for (int example = 0; example < kExamples; ++example) {
      const int64_t batch = first_batch + int64_t(rank);
      double error = -target(batch, example);
      for (int i = 0; i < kWeights; ++i) error += weights_[rank][size_t(i)] * input(batch, example, i);
      loss += error * error / kExamples;
      for (int i = 0; i < kWeights; ++i)
        new_gradients_[rank][size_t(i)] += 2 * error * input(batch, example, i) / kExamples;
    }
  }
  return loss / double(weights_.size());
}

void Ranks::backward(double factor) {
  for (size_t rank = 0; rank < weights_.size(); ++rank)
    for (size_t i = 0; i < kWeights; ++i) gradients_[rank][i] += factor * new_gradients_[rank][i];
  if (sync_) average();
}

void Ranks::average() {
  ++rounds_;
  for (size_t i = 0; i < kWeights; ++i) {
    double sum = 0;
    for (const auto& gradient : gradients_) sum += gradient[i];
    for (auto& gradient : gradients_) gradient[i] = sum / double(gradients_.size());
  }
}

void Ranks::scale(double factor) {
  for (auto& gradient : gradients_)
    for (double& value : gradient) value *= factor;
}

void Ranks::clip(double max_norm) {
  for (auto& gradient : gradients_) {
    double sum = 0;
    for (const double value : gradient) sum += value * value;
    if (max_norm == 0 || std::sqrt(sum) <= max_norm) continue;
    for (double& value : gradient) value *= max_norm / std::sqrt(sum);
  }
}

void Ranks::step(double learning_rate) {
  for (size_t rank = 0; rank < weights_.size(); ++rank)
    for (size_t i = 0; i < kWeights; ++i) weights_[rank][i] -= learning_rate * gradients_[rank][i];
}
