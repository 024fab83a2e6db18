// Exercise 01.3: a normalisation without mean and bias, as a module.
#include "rms_norm.h"

#include <cmath>
#include <utility>

#include "common/nn/layers.h"
#include "common/ops/autograd.h"
#include "tests/exercises/todo.h"

using namespace gpt2;

RMSNorm::RMSNorm(Module* parent, std::string name, int64_t size, double eps)
    : Module(parent, std::move(name)), weight(empty({size})), eps_(eps) {
  //@solution 01.3 constructor
  nn::init::constant_(weight, 1);
  register_parameter("weight", weight);
  //@stub
  //| // TODO(01.3): fill the weight with ones, and register it.
  //| COURSE_TODO("01.3");
  //@end
}

namespace {

// 1 / sqrt(mean(x^2) + eps) of a row of C values
float reciprocal_rms(const float* x, int64_t C, double eps) {
  //@solution 01.3 rms
  double sum = 0;
  for (int64_t i = 0; i < C; ++i) sum += double(x[i]) * double(x[i]);
  return float(1 / std::sqrt(sum / double(C) + eps));
  //@stub
  //| // TODO(01.3)
  //| return COURSE_TODO("01.3");
  //@end
}

// dx of one row; adds the row's part to dweight.
void backward_row(float* dx, float* dweight, const float* dy, const float* x, const float* weight, int64_t C,
                  double eps) {
  //@solution 01.3 backward
  const float r = reciprocal_rms(x, C, eps);
  double dot = 0;
  for (int64_t i = 0; i < C; ++i) dot += double(x[i]) * double(weight[i] * dy[i]);
  const float shared = r * r * float(dot / double(C));
  for (int64_t i = 0; i < C; ++i) {
    dx[i] = r * (weight[i] * dy[i] - x[i] * shared);
    dweight[i] += dy[i] * x[i] * r;
  }
  //@stub
  //| // TODO(01.3): write dx[i], and add to dweight[i].
  //| COURSE_TODO("01.3");
  //@end
}

}  // namespace

Tensor RMSNorm::operator()(const Tensor& input) const {
  const Tensor x = input.contiguous();
  const auto [rows, C] = x.sizes<2>();
  Tensor y = empty(x.shape());
  const float *in = x.data<float>(), *w = weight.data<float>();
  float* out = y.data<float>();
  //@solution 01.3 forward
  for (int64_t row = 0; row < rows; ++row) {
    const float r = reciprocal_rms(in + row * C, C, eps_);
    for (int64_t i = 0; i < C; ++i) out[row * C + i] = in[row * C + i] * r * w[i];
  }
  //@stub
  //| // TODO(01.3): out[row * C + i] = ...
  //| COURSE_TODO("01.3");
  //@end
  record({x, weight}, y, [x = saved(x), weight = saved(weight), eps = eps_](Gradients& g) {
    const auto [rows, C] = x.sizes<2>();
    const Tensor dy = g.dy().contiguous(), dx = empty(x.shape()), dweight = zeros({C});
    for (int64_t row = 0; row < rows; ++row)
      backward_row(dx.data<float>() + row * C, dweight.data<float>(), dy.data<float>() + row * C,
                   x.data<float>() + row * C, weight.data<float>(), C, eps);
    g.add(0, dx);
    g.add(1, dweight);
  });
  return y;
}
