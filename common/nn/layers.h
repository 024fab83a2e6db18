// The layers of GPT-2, with torch's default initialisation, drawn in torch's order.
//
// since 01_module
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/nn/module.h"
#include "common/ops/ops.h"

namespace gpt2::nn {

// y = x W^T + b. weight: (out_features, in_features), bias: (out_features), both drawn from
// U(-1/sqrt(in_features), 1/sqrt(in_features)).
class Linear : public Module {
 public:
  enum class Bias : bool { no, yes };
  Linear(Module* parent, std::string name, int64_t in_features, int64_t out_features, Bias bias = Bias::yes);
  Tensor operator()(const Tensor& x) const { return linear(x, weight, bias); }

  Tensor weight, bias;  // bias is undefined with Bias::no
};

// y = weight[ids]. weight: (num_embeddings, embedding_dim), drawn from N(0, 1).
class Embedding : public Module {
 public:
  Embedding(Module* parent, std::string name, int64_t num_embeddings, int64_t embedding_dim);
  Tensor operator()(const Tensor& ids) const { return embedding(weight, ids); }

  Tensor weight;
};

// Normalises the last dimension. weight, bias: (size), initialised with ones and zeros.
class LayerNorm : public Module {
 public:
  LayerNorm(Module* parent, std::string name, int64_t size, double eps = 1e-5);
  Tensor operator()(const Tensor& x) const { return layer_norm(x, weight, bias, float(eps_)); }

  // Returns {x + branch, the LayerNorm of the sum}, computed in one pass. since 07_fusion
  std::pair<Tensor, Tensor> operator()(const Tensor& x, const Tensor& branch) const {
    return add_layer_norm(x, branch, weight, bias, float(eps_));
  }

  Tensor weight, bias;

 private:
  double eps_;
};

// `count` children named "0", "1", ..., each constructed with the same arguments.
template <class T>
class ModuleList : public Module {
 public:
  template <class... Args>
  ModuleList(Module* parent, std::string name, int64_t count, const Args&... args)
      : Module(parent, std::move(name)) {
    for (int64_t i = 0; i < count; ++i)
      items_.push_back(std::make_unique<T>(this, std::to_string(i), args...));
  }
  int64_t size() const { return int64_t(items_.size()); }
  T& operator[](int64_t i) { return *items_[size_t(i)]; }

  // Iterates over the children themselves: for (Block& block : h) x = block(x);
  struct Iterator {
    typename std::vector<std::unique_ptr<T>>::iterator at;
    T& operator*() const { return **at; }
    Iterator& operator++() { return ++at, *this; }
    bool operator!=(const Iterator& other) const { return at != other.at; }
  };
  Iterator begin() { return {items_.begin()}; }
  Iterator end() { return {items_.end()}; }

 private:
  std::vector<std::unique_ptr<T>> items_;
};

// Functions that initialise a parameter on the CPU. The random ones draw from nn::generator().
namespace init {
void normal_(const Tensor& x, double mean, double std);
void uniform_(const Tensor& x, double low, double high);
void constant_(const Tensor& x, double value);
}  // namespace init

}  // namespace gpt2::nn
