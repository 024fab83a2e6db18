#include "common/kernels/gelu.h"

#include "common/kernels/cpu/parallel.h"
#include "common/kernels/cpu/vector_math.h"

// (1 + tanh(u)) / 2 = logistic(2u) = 1 / (1 + exp(-2u)), so gelu(x) = x / (1 + exp(-2u)). The derivative of
// the logistic function is logistic * (1 - logistic).

namespace gpt2::cpu {
namespace {

constexpr float kTwoRoot = 1.59576912f;  // 2 sqrt(2 / pi)
constexpr float kCubic = 0.044715f;

float two_u(float x) { return kTwoRoot * (x + kCubic * (x * x * x)); }
float two_u_derivative(float x) { return kTwoRoot * (1 + 3 * kCubic * (x * x)); }

}  // namespace

void gelu_forward(Stream, float* y, const float* x, int64_t n) {
  parallel_values(n, [=](int64_t i) { y[i] = x[i] / (1 + vector_exp(-two_u(x[i]))); });
}

void gelu_backward(Stream, float* dx, const float* x, const float* dy, int64_t n) {
  parallel_values(n, [=](int64_t i) {
    const Logistic s = logistic(two_u(x[i]));
    dx[i] = dy[i] * (s.value + x[i] * s.value * s.complement * two_u_derivative(x[i]));
  });
}

}  // namespace gpt2::cpu
