// Flash attention at the sizes of GPT-2 124M: one layer's time, and its arithmetic. Operations are those of
// the scores that the causal mask leaves, T (T + 1) / 2 a head, 4 hs each forward and 10 hs backward; what a
// kernel does beyond (hidden halves of tiles on the diagonal, exponentials) is its loss.
//
//   flash_attention_bench --benchmark_filter=cpu/forward
#include <benchmark/benchmark.h>

#include <chrono>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "common/kernels/flash_attention.h"
#include "common/ops/dispatch.h"
#include "common/tensor/memory.h"

namespace gpt2 {
namespace {

constexpr int64_t nh = 12, hs = 64, C = nh * hs;

template <class T>
class Layer {
 public:
  Layer(Device device, int64_t B, int64_t length)
      : device_(device),
        shape_{B, nh, length, hs, 0.125f},
        packed_(device, size_t(B * length * 3 * C) * sizeof(T)),
        gradients_(device, packed_.bytes()),
        y_(device, packed_.bytes() / 3),
        dy_(device, packed_.bytes() / 3),
        log_sum_exp_(device, size_t(B * nh * length) * sizeof(float)),
        workspace_(device, size_t(DISPATCH_SIZE(device, flash_attention_workspace, shape_)) * sizeof(float)) {
    fill_with_noise(packed_);
    fill_with_noise(dy_);
  }

  void forward() {
    DISPATCH(device_, flash_attention_forward, heads<T>(y_, C, 0), floats(log_sum_exp_), packed(0), packed(1),
             packed(2), shape_);
  }
  void backward() {
    DISPATCH(device_, flash_attention_backward, heads<T>(gradients_, 3 * C, 0),
             heads<T>(gradients_, 3 * C, 1), heads<T>(gradients_, 3 * C, 2), heads<const T>(dy_, C, 0),
             heads<const T>(y_, C, 0), floats(log_sum_exp_), packed(0), packed(1), packed(2),
             floats(workspace_), shape_);
  }
  double scores() const { return double(shape_.B * nh) * double(shape_.T) * double(shape_.T + 1) / 2; }

 private:
  void fill_with_noise(Storage& storage) const {  // uniform in [-1, 1)
    std::mt19937 generator(1);
    std::vector<T> values(storage.bytes() / sizeof(T));
    for (T& value : values) value = static_cast<float>(generator() / 2147483648.0 - 1);
    backend(device_).copy(storage.data(), values.data(), storage.bytes(), context().stream(device_));
    synchronize(device_);
  }
  template <class Element>
  HeadsView<Element> heads(Storage& storage, int64_t width, int64_t third) const {
    return {static_cast<Element*>(storage.data()) + third * C, shape_.T * width, hs, width};
  }
  HeadsView<const T> packed(int64_t third) { return heads<const T>(packed_, 3 * C, third); }
  static float* floats(Storage& storage) { return static_cast<float*>(storage.data()); }

  Device device_;
  AttentionShape shape_;
  Storage packed_, gradients_, y_, dy_, log_sum_exp_, workspace_;
};

template <class T>
void measure(benchmark::State& state, Device device, bool backward, int64_t B, int64_t length) {
  Layer<T> layer(device, B, length);
  layer.forward();
  if (backward) layer.backward();
  const int repeats = device.is_cuda() ? 20 : 1;  // a GPU is kept busy, as in a training step
  synchronize(device);
  for (auto _ : state) {
    const auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < repeats; ++i) backward ? layer.backward() : layer.forward();
    synchronize(device);
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    state.SetIterationTime(seconds.count() / repeats);
  }
  const double operations = layer.scores() * hs * (backward ? 10 : 4);
  state.counters["GFLOP/s"] = {1e-9 * operations, benchmark::Counter::kIsIterationInvariantRate};
}

template <class T>
void add_benchmarks(Device device, const std::string& type) {
  const std::vector<std::pair<int64_t, int64_t>> shapes =
      device.is_cuda() ? std::vector<std::pair<int64_t, int64_t>>{{16, 1024}, {64, 1024}}
                       : std::vector<std::pair<int64_t, int64_t>>{{4, 64}, {4, 256}, {1, 1024}};
  for (const bool backward : {false, true}) {
    for (const auto& shape : shapes) {
      const std::string name = to_string(device) + (backward ? "/backward " : "/forward ") + type +
                               " B=" + std::to_string(shape.first) + " T=" + std::to_string(shape.second);
      benchmark::RegisterBenchmark(name.c_str(),
                                   [device, backward, shape](benchmark::State& state) {
                                     measure<T>(state, device, backward, shape.first, shape.second);
                                   })
          ->UseManualTime()
          ->Unit(benchmark::kMicrosecond);
    }
  }
}

}  // namespace
}  // namespace gpt2

int main(int argc, char** argv) {
  using namespace gpt2;
  std::vector<Device> devices{kCpu};
  if (cuda_device_count() > 0) devices.push_back({DeviceType::cuda, 0});
  for (const Device device : devices) {
    add_benchmarks<float>(device, "float");
    add_benchmarks<bf16>(device, "bf16");
  }
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
}
