// Every kernel at the sizes of one GPT-2 124M training step with B=4, T=256: its time, and the memory traffic
// or arithmetic it gets out of the machine. Large copies show what memory can do; what fits into the caches,
// as much of a step's activations does, may be faster.
//
//   kernels_bench --benchmark_filter=cpu/softmax
#include <benchmark/benchmark.h>

#include <chrono>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "common/kernels/adamw.h"
#include "common/kernels/add.h"
#include "common/kernels/add_layer_norm.h"
#include "common/kernels/causal_mask.h"
#include "common/kernels/causal_softmax.h"
#include "common/kernels/copy.h"
#include "common/kernels/cross_entropy.h"
#include "common/kernels/embedding.h"
#include "common/kernels/fill.h"
#include "common/kernels/fused_cross_entropy.h"
#include "common/kernels/gelu.h"
#include "common/kernels/layer_norm.h"
#include "common/kernels/matmul.h"
#include "common/kernels/scale.h"
#include "common/kernels/softmax.h"
#include "common/kernels/sum_rows.h"
#include "common/ops/dispatch.h"
#include "common/tensor/memory.h"

namespace gpt2 {
namespace {

constexpr int64_t B = 4, T = 256, C = 768, nh = 12, hs = 64, V = 50257, rows = B * T;

// Where a benchmark's arrays live; they go with it.
class Arrays {
 public:
  explicit Arrays(Device device) : device_(device) {}

  float* floats(int64_t n) {  // uniform in [-1, 1)
    std::mt19937 generator(1);
    std::vector<float> values(static_cast<size_t>(n));
    for (float& value : values) value = static_cast<float>(generator() / 2147483648.0 - 1);
    return static_cast<float*>(store(values.data(), values.size() * sizeof(float)));
  }
  bf16* bf16s(int64_t n) {  // uniform in [-1, 1)
    std::mt19937 generator(1);
    std::vector<bf16> values(static_cast<size_t>(n));
    for (bf16& value : values) value = static_cast<float>(generator() / 2147483648.0 - 1);
    return static_cast<bf16*>(store(values.data(), values.size() * sizeof(bf16)));
  }
  int32_t* ids(int64_t n) {  // uniform in [0, V)
    std::mt19937 generator(1);
    std::vector<int32_t> values(static_cast<size_t>(n));
    for (int32_t& value : values) value = static_cast<int32_t>(generator() % V);
    return static_cast<int32_t*>(store(values.data(), values.size() * sizeof(int32_t)));
  }

 private:
  void* store(const void* values, size_t bytes) {
    owned_.push_back(std::make_unique<Storage>(device_, bytes));
    backend(device_).copy(owned_.back()->data(), values, bytes, context().stream(device_));
    return owned_.back()->data();
  }
  Device device_;
  std::vector<std::unique_ptr<Storage>> owned_;
};

// What is run, the floats (two bf16 are one) that it has to read and write at least, and its multiplications
// and additions.
struct Work {
  std::function<void()> run;
  int64_t floats_moved = 0;
  double operations = 0;
};

using MakeWork = Work (*)(Device device, Arrays& arrays);

void measure(benchmark::State& state, Device device, MakeWork make) {
  Arrays arrays(device);
  const Work work = make(device, arrays);
  work.run();
  // A GPU is kept busy, so that the time of a launch is hidden as it is in a training step.
  const int repeats = device.is_cuda() ? 20 : 1;
  synchronize(device);
  for (auto _ : state) {
    const auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < repeats; ++i) work.run();
    synchronize(device);
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    state.SetIterationTime(seconds.count() / repeats);
  }
  const auto rate = benchmark::Counter::kIsIterationInvariantRate;
  if (work.floats_moved > 0) state.counters["GB/s"] = {4e-9 * double(work.floats_moved), rate};
  if (work.operations > 0) state.counters["GFLOP/s"] = {1e-9 * work.operations, rate};
}

// One line of the table for every device that is here.
void add_benchmark(const std::string& name, MakeWork make) {
  std::vector<Device> devices{kCpu};
  if (cuda_device_count() > 0) devices.push_back({DeviceType::cuda, 0});
  for (const Device device : devices) {
    benchmark::RegisterBenchmark((to_string(device) + "/" + name).c_str(),
                                 [device, make](benchmark::State& state) { measure(state, device, make); })
        ->UseManualTime()
        ->Unit(benchmark::kMicrosecond);
  }
}

void add_copies() {
  add_benchmark("copy 154 MB", [](Device device, Arrays& a) {
    float *y = a.floats(V * C), *x = a.floats(V * C);
    const Dims4 shape{1, 1, V, C}, strides{V * C, V * C, C, 1};
    return Work{[=] { DISPATCH(device, copy_strided, y, x, shape, strides, strides); }, 2 * V * C};
  });
  add_benchmark("copy q of (B, T, 3C)", [](Device device, Arrays& a) {
    float *y = a.floats(rows * C), *x = a.floats(rows * 3 * C);
    const Dims4 shape{1, B, T, C}, dense{rows * C, T * C, C, 1}, packed{3 * rows * C, 3 * T * C, 3 * C, 1};
    return Work{[=] { DISPATCH(device, copy_strided, y, x, shape, dense, packed); }, 2 * rows * C};
  });
  add_benchmark("copy (B, nh, T, hs) to (B, T, nh, hs)", [](Device device, Arrays& a) {
    float *y = a.floats(rows * C), *x = a.floats(rows * C);
    const Dims4 shape{B, T, nh, hs}, y_strides{T * C, C, hs, 1}, x_strides{T * C, hs, T * hs, 1};
    return Work{[=] { DISPATCH(device, copy_strided, y, x, shape, y_strides, x_strides); }, 2 * rows * C};
  });
  add_benchmark("copy (C, 4C) transposed", [](Device device, Arrays& a) {
    float *y = a.floats(4 * C * C), *x = a.floats(4 * C * C);
    const Dims4 shape{1, 1, 4 * C, C}, y_strides{0, 0, C, 1}, x_strides{0, 0, 1, 4 * C};
    return Work{[=] { DISPATCH(device, copy_strided, y, x, shape, y_strides, x_strides); }, 8 * C * C};
  });
}

void add_elementwise() {
  add_benchmark("fill wte", [](Device device, Arrays& a) {
    float* y = a.floats(V * C);
    return Work{[=] { DISPATCH(device, fill, y, 0.0f, V * C); }, V * C};
  });
  add_benchmark("add (B, T, C)", [](Device device, Arrays& a) {
    float *y = a.floats(rows * C), *x = a.floats(rows * C), *z = a.floats(rows * C);
    return Work{[=] { DISPATCH(device, add, y, x, z, rows * C, rows * C); }, 3 * rows * C};
  });
  add_benchmark("add (4C) to (B, T, 4C)", [](Device device, Arrays& a) {
    float *y = a.floats(rows * 4 * C), *bias = a.floats(4 * C);
    return Work{[=] { DISPATCH(device, add, y, y, bias, rows * 4 * C, 4 * C); }, 8 * rows * C};
  });
  add_benchmark("scale (B, nh, T, T)", [](Device device, Arrays& a) {
    float* x = a.floats(B * nh * T * T);
    return Work{[=] { DISPATCH(device, scale, x, x, -1.0f, B * nh * T * T); }, 2 * B * nh * T * T};
  });
  add_benchmark("causal_mask (B, nh, T, T)", [](Device device, Arrays& a) {
    float *y = a.floats(B * nh * T * T), *x = a.floats(B * nh * T * T);
    return Work{[=] { DISPATCH(device, causal_mask, y, x, 0.0f, B * nh, T); }, 3 * B * nh * T * T / 2};
  });
  add_benchmark("gelu_forward (B, T, 4C)", [](Device device, Arrays& a) {
    float *y = a.floats(4 * rows * C), *x = a.floats(4 * rows * C);
    return Work{[=] { DISPATCH(device, gelu_forward, y, x, 4 * rows * C); }, 8 * rows * C};
  });
  add_benchmark("gelu_backward (B, T, 4C)", [](Device device, Arrays& a) {
    float *dx = a.floats(4 * rows * C), *x = a.floats(4 * rows * C), *dy = a.floats(4 * rows * C);
    return Work{[=] { DISPATCH(device, gelu_backward, dx, x, dy, 4 * rows * C); }, 12 * rows * C};
  });
  add_benchmark("adamw wte", [](Device device, Arrays& a) {
    float *w = a.floats(V * C), *g = a.floats(V * C), *m = a.floats(V * C), *v = a.floats(V * C);
    DISPATCH(device, fill, v, 0.1f, V * C);
    auto* state = reinterpret_cast<AdamWState*>(a.floats(sizeof(AdamWState) / sizeof(float)));
    const AdamWFactors factors{0.9, 0.999, 1e-8, 0.01};
    const auto run = [=] {
      const AdamWBlock<float> block{
          .w = w, .low = nullptr, .g = g, .m = m, .v = v, .n = V * C, .decayed = V * C};
      DISPATCH(device, adamw, block, state, nullptr, 0, factors);
    };
    return Work{run, 7 * V * C};
  });
}

void add_rows() {
  add_benchmark("softmax_forward (B, nh, T, T)", [](Device device, Arrays& a) {
    float *y = a.floats(B * nh * T * T), *x = a.floats(B * nh * T * T);
    return Work{[=] { DISPATCH(device, softmax_forward, y, x, B * nh * T, T); }, 2 * B * nh * T * T};
  });
  add_benchmark("softmax_backward (B, nh, T, T)", [](Device device, Arrays& a) {
    float *dx = a.floats(B * nh * T * T), *y = a.floats(B * nh * T * T), *dy = a.floats(B * nh * T * T);
    return Work{[=] { DISPATCH(device, softmax_backward, dx, y, dy, B * nh * T, T); }, 3 * B * nh * T * T};
  });
  add_benchmark("layer_norm_forward (B, T, C)", [](Device device, Arrays& a) {
    float *y = a.floats(rows * C), *x = a.floats(rows * C), *w = a.floats(C), *b = a.floats(C);
    float *mean = a.floats(rows), *rstd = a.floats(rows);
    return Work{[=] { DISPATCH(device, layer_norm_forward, y, mean, rstd, x, w, b, rows, C, 1e-5f); },
                2 * rows * C};
  });
  add_benchmark("layer_norm_backward (B, T, C)", [](Device device, Arrays& a) {
    float *dx = a.floats(rows * C), *dy = a.floats(rows * C), *x = a.floats(rows * C), *w = a.floats(C);
    float *mean = a.floats(rows), *rstd = a.floats(rows), *dw = a.floats(C), *db = a.floats(C);
    float* workspace = a.floats(DISPATCH_SIZE(device, layer_norm_backward_workspace, rows, C));
    return Work{[=] {
                  DISPATCH(device, layer_norm_backward, dx, dw, db, dy, x, w, mean, rstd, workspace, rows, C,
                           1, 1);
                },
                3 * rows * C};
  });
  add_benchmark("sum_rows (B, T, 4C)", [](Device device, Arrays& a) {
    float *y = a.floats(4 * C), *x = a.floats(4 * rows * C);
    float* workspace = a.floats(DISPATCH_SIZE(device, sum_rows_workspace, rows, 4 * C));
    return Work{[=] { DISPATCH(device, sum_rows, y, x, workspace, rows, 4 * C, 1.0f); }, 4 * rows * C};
  });
  add_benchmark("sum_rows (B, T * C)", [](Device device, Arrays& a) {
    float *y = a.floats(T * C), *x = a.floats(B * T * C);
    float* workspace = a.floats(DISPATCH_SIZE(device, sum_rows_workspace, B, T * C));
    return Work{[=] { DISPATCH(device, sum_rows, y, x, workspace, B, T * C, 1.0f); }, (B + 1) * T * C};
  });
}

void add_vocabulary() {
  add_benchmark("embedding_forward (B, T, C)", [](Device device, Arrays& a) {
    float *y = a.floats(rows * C), *table = a.floats(V * C);
    int32_t* ids = a.ids(rows);
    return Work{[=] { DISPATCH(device, embedding_forward, y, table, ids, rows, C); }, 2 * rows * C};
  });
  add_benchmark("embedding_backward (B, T, C), beta 1", [](Device device, Arrays& a) {
    float *dtable = a.floats(V * C), *dy = a.floats(rows * C);
    int32_t* ids = a.ids(rows);
    float* workspace = a.floats(DISPATCH_SIZE(device, embedding_backward_workspace, rows, V, C));
    return Work{[=] { DISPATCH(device, embedding_backward, dtable, ids, dy, workspace, rows, V, C, 1.0f); },
                3 * rows * C};
  });
  add_benchmark("cross_entropy_forward (B, T, V)", [](Device device, Arrays& a) {
    float *loss = a.floats(1), *losses = a.floats(rows), *sums = a.floats(rows), *logits = a.floats(rows * V);
    int32_t* targets = a.ids(rows);
    return Work{
        [=] { DISPATCH(device, cross_entropy_forward, loss, losses, sums, logits, targets, rows, V); },
        rows * V};
  });
  add_benchmark("cross_entropy_backward (B, T, V)", [](Device device, Arrays& a) {
    float *logits = a.floats(rows * V), *sums = a.floats(rows), *dloss = a.floats(1);
    int32_t* targets = a.ids(rows);
    return Work{
        [=] { DISPATCH(device, cross_entropy_backward, logits, logits, sums, targets, dloss, rows, V); },
        2 * rows * V};
  });
}

// What autocast adds, and what the fused steps have in place of the kernels above.
void add_bf16() {
  add_benchmark("cast wte to bf16", [](Device device, Arrays& a) {
    bf16* y = a.bf16s(V * C);
    float* x = a.floats(V * C);
    const Dims4 shape{1, 1, V, C}, strides{V * C, V * C, C, 1};
    return Work{[=] { DISPATCH(device, copy_strided, y, x, shape, strides, strides); }, 3 * V * C / 2};
  });
  add_benchmark("add bf16 (B, T, C)", [](Device device, Arrays& a) {
    float *y = a.floats(rows * C), *x = a.floats(rows * C);
    bf16* z = a.bf16s(rows * C);
    return Work{[=] { DISPATCH(device, add, y, x, z, rows * C, rows * C); }, 5 * rows * C / 2};
  });
  add_benchmark("gelu_forward bf16 (B, T, 4C)", [](Device device, Arrays& a) {
    bf16 *y = a.bf16s(4 * rows * C), *x = a.bf16s(4 * rows * C);
    return Work{[=] { DISPATCH(device, gelu_forward, y, x, 4 * rows * C); }, 4 * rows * C};
  });
  add_benchmark("gelu_backward bf16 (B, T, 4C)", [](Device device, Arrays& a) {
    bf16 *dx = a.bf16s(4 * rows * C), *x = a.bf16s(4 * rows * C), *dy = a.bf16s(4 * rows * C);
    return Work{[=] { DISPATCH(device, gelu_backward, dx, x, dy, 4 * rows * C); }, 6 * rows * C};
  });
  add_benchmark("sum_rows bf16 (B, T, 4C)", [](Device device, Arrays& a) {
    float *y = a.floats(4 * C), *workspace = a.floats(DISPATCH_SIZE(device, sum_rows_workspace, rows, 4 * C));
    bf16* x = a.bf16s(4 * rows * C);
    return Work{[=] { DISPATCH(device, sum_rows, y, x, workspace, rows, 4 * C, 1.0f); }, 2 * rows * C};
  });
}

void add_fused() {
  add_benchmark("causal_softmax_forward bf16 (B, nh, T, T)", [](Device device, Arrays& a) {
    bf16 *y = a.bf16s(B * nh * T * T), *x = a.bf16s(B * nh * T * T);
    return Work{[=] { DISPATCH(device, causal_softmax_forward, y, x, 0.125f, B * nh, T); },
                3 * B * nh * T * T / 4};
  });
  add_benchmark("causal_softmax_backward bf16 (B, nh, T, T)", [](Device device, Arrays& a) {
    bf16 *dx = a.bf16s(B * nh * T * T), *y = a.bf16s(B * nh * T * T), *dy = a.bf16s(B * nh * T * T);
    return Work{[=] { DISPATCH(device, causal_softmax_backward, dx, y, dy, 0.125f, B * nh, T); },
                B * nh * T * T};
  });
  add_benchmark("add_layer_norm_forward bf16 (B, T, C)", [](Device device, Arrays& a) {
    float *sum = a.floats(rows * C), *x = a.floats(rows * C), *w = a.floats(C), *b = a.floats(C);
    float *mean = a.floats(rows), *rstd = a.floats(rows);
    bf16 *y = a.bf16s(rows * C), *branch = a.bf16s(rows * C);
    return Work{[=] {
                  DISPATCH(device, add_layer_norm_forward, sum, y, mean, rstd, x, branch, w, b, rows, C, rows,
                           1e-5f);
                },
                3 * rows * C};
  });
  add_benchmark("add_layer_norm_backward bf16 (B, T, C)", [](Device device, Arrays& a) {
    float *dx = a.floats(rows * C), *dsum = a.floats(rows * C), *sum = a.floats(rows * C), *w = a.floats(C);
    float *mean = a.floats(rows), *rstd = a.floats(rows), *dw = a.floats(C), *db = a.floats(C);
    float* branch_sums = a.floats(DISPATCH_SIZE(device, layer_norm_partial_sums, rows) * C);
    float* workspace = a.floats(DISPATCH_SIZE(device, layer_norm_backward_workspace, rows, C));
    bf16 *dbranch = a.bf16s(rows * C), *dy = a.bf16s(rows * C);
    return Work{[=] {
                  DISPATCH(device, add_layer_norm_backward, dx, dbranch, dw, db, branch_sums, dy, dsum, sum,
                           w, mean, rstd, workspace, rows, C, 1, 1);
                },
                4 * rows * C};
  });
  add_benchmark("fused_cross_entropy_forward bf16 (B, T, V)", [](Device device, Arrays& a) {
    float *loss = a.floats(1), *losses = a.floats(rows);
    bf16* logits = a.bf16s(rows * V);
    int32_t* targets = a.ids(rows);
    return Work{
        [=] { DISPATCH(device, fused_cross_entropy_forward, loss, losses, logits, targets, rows, V, V); },
        rows * V / 2};
  });
  add_benchmark("fused_cross_entropy_gradient bf16 (B, T, V)", [](Device device, Arrays& a) {
    float *loss = a.floats(1), *losses = a.floats(rows);
    bf16* logits = a.bf16s(rows * V);
    int32_t* targets = a.ids(rows);
    return Work{
        [=] { DISPATCH(device, fused_cross_entropy_gradient, loss, losses, logits, targets, rows, V, V); },
        rows * V};
  });
}

template <int64_t M, int64_t N, int64_t K>
Work linear(Device device, Arrays& a) {
  float *x = a.floats(M * K), *w = a.floats(N * K), *y = a.floats(M * N);
  Matmul product{row_major<const float>(x, M, K), row_major<const float>(w, N, K).transposed(),
                 row_major(y, M, N)};
  return {[=] { DISPATCH(device, matmul, product); }, 0, 2.0 * M * N * K};
}

void add_matrix_products() {
  add_benchmark("matmul (B*T, C) x (C, 3C)", linear<rows, 3 * C, C>);
  add_benchmark("matmul (B*T, C) x (C, 4C)", linear<rows, 4 * C, C>);
  add_benchmark("matmul (B*T, 4C) x (4C, C)", linear<rows, C, 4 * C>);
  add_benchmark("matmul (B*T, C) x (C, V)", linear<rows, V, C>);
  add_benchmark("matmul (B, nh, T, hs) x (B, nh, hs, T)", [](Device device, Arrays& a) {
    float *qkv = a.floats(rows * 3 * C), *y = a.floats(B * nh * T * T);
    Matmul product;
    product.a = {qkv, DType::f32, T, hs, 3 * C, 1, {T * 3 * C, hs}};
    product.b = ConstMatrixView{qkv + C, DType::f32, T, hs, 3 * C, 1, {T * 3 * C, hs}}.transposed();
    product.c = {y, DType::f32, T, T, T, 1, {nh * T * T, T * T}};
    product.batch = {B, nh};
    return Work{[=] { DISPATCH(device, matmul, product); }, 0, 2.0 * B * nh * T * T * hs};
  });
}

}  // namespace
}  // namespace gpt2

int main(int argc, char** argv) {
  gpt2::add_copies();
  gpt2::add_elementwise();
  gpt2::add_rows();
  gpt2::add_vocabulary();
  gpt2::add_bf16();
  gpt2::add_fused();
  gpt2::add_matrix_products();
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
}
