// What matrix products reach at best on a device: the peak that the timing table's MFU is measured against where no
// data sheet says. Prints one JSON object: TFLOP/s of one large product in float32, TF32 and bf16, the fastest of
// a second's tries.
//
//   matmul_peak --device cpu
#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <random>
#include <vector>

#include "common/app/program.h"
#include "common/app/stopwatch.h"
#include "common/ops/autocast.h"
#include "common/ops/ops.h"

using namespace gpt2;

namespace {

Tensor uniform_matrix(int64_t n, Device device) {
  std::mt19937 generator(1);
  std::vector<float> values(size_t(n * n));
  for (float& value : values) value = float(generator() / 2147483648.0 - 1);
  return from_vector(values, {n, n}, device);
}

// The best rate of x w^T, all (n, n), in TFLOP/s.
double best_rate(const Tensor& x, const Tensor& w) {
  constexpr double kMilliseconds = 1000;
  const double n = double(x.sizes<2>()[0]);
  linear(x, w, {});  // the library prepares itself
  const app::StopWatch whole(x.device());
  double best = INFINITY;
  while (whole.ms() < kMilliseconds) {
    const app::StopWatch watch(x.device());
    linear(x, w, {});
    best = std::min(best, watch.ms());
  }
  return 2 * n * n * n / best / 1e9;
}

void measure(app::CommandLine& flags) {
  std::string device_name = "auto";
  flags.add("--device", device_name, "auto, cpu, cuda or cuda:N");
  flags.parse();
  const Device device = parse_device(device_name);
  const int64_t n = device.is_cuda() ? 8192 : 3072;
  const Tensor x = uniform_matrix(n, device), w = uniform_matrix(n, device);
  const NoGrad no_grad;
  const MatmulTuning tuning(true);
  nlohmann::ordered_json rates;
  rates["fp32"] = best_rate(x, w);
  {
    const Precision precision(MatmulPrecision::high);
    rates["tf32"] = best_rate(x, w);
  }
  rates["bf16"] = best_rate(cast(x, DType::bf16), cast(w, DType::bf16));
  fmt::print("{}\n", rates.dump());
}

}  // namespace

int main(int argc, char** argv) { return app::run("matmul_peak", argc, argv, measure); }
