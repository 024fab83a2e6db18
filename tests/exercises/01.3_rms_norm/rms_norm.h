#pragma once

#include <string>

#include "common/nn/module.h"

// y = x / sqrt(mean(x^2) + eps) * weight, for each row of the last dimension. weight: (size), initialised with ones.
class RMSNorm : public gpt2::nn::Module {
 public:
  RMSNorm(gpt2::nn::Module* parent, std::string name, int64_t size, double eps = 1e-5);
  gpt2::Tensor operator()(const gpt2::Tensor& x) const;  // x and y: (rows, size)

  gpt2::Tensor weight;

 private:
  double eps_;
};
