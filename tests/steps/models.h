// Two steps' models side by side: the same weights, the same batch, what comes out.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "common/nn/module.h"
#include "common/ops/autocast.h"
#include "common/ops/autograd.h"
#include "tests/common/testing.h"

namespace gpt2::testing {

// The weights of one model into another of the same names. Matrices may have more rows there: these become 0.
inline void copy_weights(const nn::Module& from, const nn::Module& to) {
  const auto sources = from.named_parameters(), targets = to.named_parameters();
  ASSERT_EQ(sources.size(), targets.size());
  for (size_t i = 0; i < sources.size(); ++i) {
    ASSERT_EQ(sources[i].name, targets[i].name);
    const Tensor source = sources[i].tensor->detach(), target = targets[i].tensor->detach();
    zero_(target);
    copy_(target.slice(0, 0, source.size(0)), source);
  }
}

struct Pass {
  float loss = 0;
  std::vector<float> logits;  // as they were before backward()
  std::map<std::string, std::vector<float>> gradients;
};

// One forward and backward pass; logits of the vocabulary alone.
template <class GPT>
Pass forward_backward(GPT& model, const Tensor& x, const Tensor& y, DType dtype = DType::f32) {
  Pass pass;
  {
    const NoGrad no_grad;
    const Autocast autocast(dtype);
    pass.logits = model(x).to(DType::f32).template to_vector<float>();
  }
  const Autocast autocast(dtype);
  const auto [logits, loss] = model(x, y);
  loss.backward();
  pass.loss = loss.item();
  for (const auto& [name, tensor] : model.named_parameters()) {
    pass.gradients[name] = tensor->grad().template to_vector<float>();
    tensor->variable()->grad = Tensor();  // the next pass begins anew
  }
  return pass;
}

// ||a - b|| / ||b||, NaN if either holds one. Of two gradients, b may have more rows than a: they must be 0.
inline double relative_distance(const std::vector<float>& a, const std::vector<float>& b) {
  double difference = 0, norm = 0;
  for (size_t i = 0; i < std::max(a.size(), b.size()); ++i) {
    const double left = i < a.size() ? double(a[i]) : 0, right = i < b.size() ? double(b[i]) : 0;
    difference += (left - right) * (left - right);
    norm += right * right;
  }
  return std::sqrt(difference / norm);
}

// Loss, logits and every gradient of `actual` are those of `expected` to these relative errors.
inline void expect_same_pass(const Pass& actual, const Pass& expected, double forward, double backward) {
  EXPECT_LE(std::abs(actual.loss / expected.loss - 1), forward);
  EXPECT_LE(max_relative_error(actual.logits, expected.logits), forward);
  for (const auto& [name, gradient] : expected.gradients) {
    // The key bias shifts all scores of a row alike: its gradient is 0 in exact arithmetic, and so it stands in the
    // noise here; the weights of the same layer say whether it is right.
    if (name.ends_with("c_attn.bias")) continue;
    EXPECT_LE(relative_distance(actual.gradients.at(name), gradient), backward) << name;
  }
}

// A batch of ids below `vocab_size`, and the ids that follow them.
inline std::pair<Tensor, Tensor> batch_of_ids(int64_t B, int64_t T, int32_t vocab_size, Device device) {
  std::vector<int32_t> ids;
  for (int64_t i = 0; i <= B * T; ++i) ids.push_back(int32_t(i * i * 7 + i * 3) % vocab_size);
  const std::vector<int32_t> x(ids.begin(), ids.end() - 1), y(ids.begin() + 1, ids.end());
  return {from_vector(x, {B, T}, device), from_vector(y, {B, T}, device)};
}

}  // namespace gpt2::testing
