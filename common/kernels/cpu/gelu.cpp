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

template <class T>
void gelu_forward(Stream, T* y, const T* x, int64_t n) {
  parallel_values(n, [=](int64_t i) {
    const float at = x[i];
    y[i] = at / (1 + vector_exp(-two_u(at)));
  });
}

template <class T>
void gelu_backward(Stream, T* dx, const T* x, const T* dy, int64_t n) {
  parallel_values(n, [=](int64_t i) {
    const float at = x[i];
    const Logistic s = logistic(two_u(at));
    dx[i] = dy[i] * (s.value + at * s.value * s.complement * two_u_derivative(at));
  });
}

template void gelu_forward(Stream, float*, const float*, int64_t);
template void gelu_forward(Stream, bf16*, const bf16*, int64_t);
template void gelu_backward(Stream, float*, const float*, const float*, int64_t);
template void gelu_backward(Stream, bf16*, const bf16*, const bf16*, int64_t);

}  // namespace gpt2::cpu
