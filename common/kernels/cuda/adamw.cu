#include "common/kernels/adamw.h"

#include "common/kernels/cuda/pieces.cuh"

namespace gpt2::cuda {
namespace {

// What is the same for all parameters, worked out in double and rounded once.
struct Factors {
  float decay, rate1, rate2, beta2, step_size, root_correction2, eps;

  explicit Factors(const AdamWStep& step)
      : decay(float(1 - step.lr * step.weight_decay)),
        rate1(float(1 - step.beta1)),
        rate2(float(1 - step.beta2)),
        beta2(float(step.beta2)),
        step_size(float(step.lr / step.correction1)),
        root_correction2(float(std::sqrt(step.correction2))),
        eps(float(step.eps)) {}
};

// Each parameter is 28 bytes of memory traffic and a dozen operations: one piece a thread, four loads in flight.
__global__ void adamw_kernel(float* w, const float* g, float* m, float* v, int64_t n, Factors f) {
  const int64_t first = first_of_thread<kFloats>();
  const Piece<kFloats> gradient = load_piece(g, first, n);
  Piece<kFloats> weight = load_piece(w, first, n);
  Piece<kFloats> mean = load_piece(m, first, n);
  Piece<kFloats> square = load_piece(v, first, n);
  for (int k = 0; k < kFloats; ++k) {
    mean[k] += f.rate1 * (gradient[k] - mean[k]);
    square[k] = f.beta2 * square[k] + f.rate2 * gradient[k] * gradient[k];
    const float root = sqrtf(square[k]) / f.root_correction2;
    weight[k] = weight[k] * f.decay - f.step_size * mean[k] / (root + f.eps);
  }
  store_piece(w, first, n, weight);
  store_piece(m, first, n, mean);
  store_piece(v, first, n, square);
}

}  // namespace

void adamw(Stream stream, float* w, const float* g, float* m, float* v, int64_t n, const AdamWStep& step) {
  launch(adamw_kernel, {blocks_for<kFloats>(n)}, {kBlock}, 0, stream, w, g, m, v, n, Factors(step));
}

}  // namespace gpt2::cuda
