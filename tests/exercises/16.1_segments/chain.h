// A chain of layers without parameters that change: y = tanh(a x + b), element by element. Given.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <utility>
#include <vector>

// What a run has used so far.
struct Used {
  int live = 0, most = 0;  // activations that exist, and the largest number that ever did at once
  int forwards = 0;        // layers run forward
};
inline Used used;

// The input or output of a layer. It takes memory while it exists, and it can be moved but not copied.
class Activation {
 public:
  explicit Activation(std::vector<float> values) : values_(std::move(values)), holds_(true) {
    used.most = std::max(used.most, ++used.live);
  }
  Activation(Activation&& other) noexcept : values_(std::move(other.values_)), holds_(other.holds_) {
    other.holds_ = false;
  }
  Activation& operator=(Activation&& other) noexcept {
    std::swap(values_, other.values_);
    std::swap(holds_, other.holds_);
    other.release();  // what this one had
    return *this;
  }
  ~Activation() { release(); }

  const std::vector<float>& values() const { return values_; }

 private:
  void release() {
    if (holds_) --used.live;
    holds_ = false;
    values_.clear();
  }

  std::vector<float> values_;
  bool holds_;
};

struct Layer {
  float a, b;

  // The output for this input.
  Activation forward(const Activation& x) const {
    ++used.forwards;
    std::vector<float> y;
    for (const float value : x.values()) y.push_back(std::tanh(a * value + b));
    return Activation(std::move(y));
  }

  // The gradient of the input x, from the gradient of the output.
  std::vector<float> backward(const Activation& x, const std::vector<float>& dy) const {
    std::vector<float> dx;
    for (size_t i = 0; i < dy.size(); ++i) {
      const float y = std::tanh(a * x.values().at(i) + b);
      dx.push_back(dy[i] * a * (1 - y * y));
    }
    return dx;
  }
};

using Chain = std::vector<Layer>;
