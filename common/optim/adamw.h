// AdamW over a model's parameters, with torch's defaults.
//
// The parameters of a model that was moved by Module::to lie in one block of memory. Gradients and both
// moments get blocks laid out alike, so that a step is one kernel launch over all of them.
//
// since 04_overfit
#pragma once

#include "common/nn/module.h"

namespace gpt2::optim {

struct AdamWOptions {
  double lr = 1e-3, beta1 = 0.9, beta2 = 0.999, eps = 1e-8, weight_decay = 0.01;
};

class AdamW {
 public:
  // Fails if the parameters do not share one block: model.to(device) comes first.
  AdamW(const nn::Module& model, const AdamWOptions& options);

  void zero_grad();  // the next backward() overwrites the gradients
  void step();

  // The running means of gradient and squared gradient: 1-D, laid out as the parameters' block is.
  const Tensor& first_moment() const { return first_moment_; }
  const Tensor& second_moment() const { return second_moment_; }

 private:
  AdamWOptions options_;
  std::vector<Tensor> parameters_;
  Tensor weights_, gradients_, first_moment_, second_moment_;  // the four blocks, 1-D
  int64_t steps_ = 0;
};

}  // namespace gpt2::optim
