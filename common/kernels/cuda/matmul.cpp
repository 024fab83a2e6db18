// cuda::matmul: chooses cuBLASLt's algorithm for a product, and runs an epilogue separately if cuBLASLt
// cannot do it.
#include "common/kernels/matmul.h"

#include <cuda_runtime.h>

#include <algorithm>
#include <limits>
#include <map>
#include <memory>

#include "common/base/error.h"
#include "common/kernels/cuda/cublas_plan.h"
#include "common/kernels/gelu.h"
#include "common/kernels/sum_rows.h"
#include "common/tensor/context.h"
#include "common/tensor/cuda_check.h"
#include "common/tensor/memory.h"

namespace gpt2::cuda {
namespace {

// Created once per GPU. It is never destroyed, because the CUDA runtime may already be shut down when the
// process ends. All work of a GPU runs on one stream, so its products can share a workspace.
struct Library {
  cublasLtHandle_t handle = nullptr;
  Storage workspace;
  Storage betas;  // 0 and 1: a product with alpha on the device needs beta there, too
  bool has_tf32;
  std::map<Problem, Plan> first_plans,
      tuned_plans;  // kept, because asking for an algorithm takes longer than most products

  explicit Library(Device device)
      : workspace(device, kCublasWorkspace),
        betas(device, 2 * sizeof(float)),
        has_tf32(backend(device).compute_capability() >= kAmpere) {
    check(cublasLtCreate(&handle), "cublasLtCreate");
    const float values[] = {0, 1};
    backend(device).copy(betas.data(), values, sizeof values, context().stream(device));
  }
};

Library& library(Device device) {
  static auto& libraries = *new std::map<int, std::unique_ptr<Library>>;
  auto& slot = libraries[device.index];
  if (!slot) slot = std::make_unique<Library>(device);
  return *slot;
}

// Runs call i of a product.
cublasStatus_t run_call(Stream stream, const Plan& plan, const Matmul& p, int64_t i) {
  Library& lib = library(stream.device);
  const auto b = p.b.of_batch(i, 0), a = p.a.of_batch(i, 0);
  const auto c = p.c.of_batch(i, 0);
  const bool on_device = p.alpha_on_device != nullptr;
  const float* alpha = on_device ? p.alpha_on_device : &p.alpha;
  const float* beta = on_device ? static_cast<float*>(lib.betas.data()) + (p.beta == 1 ? 1 : 0) : &p.beta;
  return cublasLtMatmul(lib.handle, plan.operation, alpha, b.data, plan.b, a.data, plan.a, beta, c.data,
                        plan.c, c.data, plan.c, &plan.algorithm, lib.workspace.data(), kCublasWorkspace,
                        static_cast<cudaStream_t>(stream.handle));
}

// Each sum over k is the sum of a column of A^T, whose rows are contiguous.
template <class Sum, class A>
void add_up_rows(Stream stream, const Matmul& p) {
  const ConstMatrixView& a = p.a;
  require(a.row_stride == 1 && a.col_stride == a.rows, "matmul: row sums of an A that is not a transpose");
  const Storage workspace(stream.device, size_t(sum_rows_workspace(a.cols, a.rows)) * sizeof(float));
  sum_rows(stream, static_cast<Sum*>(p.aux), static_cast<const A*>(a.data),
           static_cast<float*>(workspace.data()), a.cols, a.rows, 0);
}

// Runs the product, and then its epilogue as a separate kernel.
template <class T>
void run_separately(Stream stream, const Matmul& p) {
  const auto c = static_cast<T*>(p.c.data), aux = static_cast<T*>(p.aux);
  const int64_t n = p.c.rows * p.c.cols;
  Matmul plain = p;
  plain.epilogue = Epilogue::none;
  if (p.epilogue == Epilogue::gelu) plain.c.data = aux;
  matmul(stream, plain);
  p.epilogue == Epilogue::gelu ? gelu_forward<T>(stream, c, aux, n) : gelu_backward<T>(stream, c, aux, c, n);
}

void run_separately(Stream stream, const Matmul& p) {
  if (p.epilogue == Epilogue::row_sums) {
    Matmul plain = p;
    plain.epilogue = Epilogue::none;
    matmul(stream, plain);
    if (p.a.dtype == DType::f32) return add_up_rows<float, float>(stream, p);
    return p.c.dtype == DType::bf16 ? add_up_rows<bf16, bf16>(stream, p)
                                    : add_up_rows<float, bf16>(stream, p);
  }
  p.c.dtype == DType::bf16 ? run_separately<bf16>(stream, p) : run_separately<float>(stream, p);
}

class Event {
 public:
  Event() { CUDA_CHECK(cudaEventCreate(&event_)); }
  ~Event() { cudaEventDestroy(event_); }
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;

  void record(Stream stream) {
    CUDA_CHECK(cudaEventRecord(event_, static_cast<cudaStream_t>(stream.handle)));
  }
  float ms_since(const Event& start) const {
    float ms = 0;
    CUDA_CHECK(cudaEventSynchronize(event_));
    CUDA_CHECK(cudaEventElapsedTime(&ms, start.event_, event_));
    return ms;
  }

 private:
  cudaEvent_t event_ = nullptr;
};

// Returns the milliseconds of a few runs, after one warm-up run.
template <class Work>
float time_of(Stream stream, const Work& work) {
  constexpr int kRuns = 5;
  Event start, end;
  work();
  start.record(stream);
  for (int i = 0; i < kRuns; ++i) work();
  end.record(stream);
  return end.ms_since(start);
}

// Where a timed product writes its result: to C, or to scratch memory if the old values of C are still
// needed.
class TrialOutput {
 public:
  TrialOutput(Stream stream, const Matmul& p, const Problem& problem) : product_(p) {
    if (p.beta == 0) return;
    const Columns& c = problem.c;
    const int64_t elements = (problem.batch - 1) * c.batch_stride + (c.cols - 1) * c.ld + c.rows;
    scratch_ = std::make_unique<Storage>(stream.device, size_t(elements) * size_of(c.dtype));
    product_.c.data = scratch_->data();
  }
  const Matmul& product() const { return product_; }

 private:
  Matmul product_;
  std::unique_ptr<Storage> scratch_;
};

// Chooses the fastest of cuBLASLt's suggestions. It times two rounds, because a GPU may still raise its clock
// during the first. A suggestion that fails to run takes infinitely long.
void choose_by_time(Stream stream, const Matmul& p, const Problem& problem,
                    const std::vector<cublasLtMatmulAlgo_t>& algorithms, Plan& plan) {
  const TrialOutput trial(stream, p, problem);
  std::vector<float> ms(algorithms.size(), std::numeric_limits<float>::infinity());
  for (int round = 0; round < 2; ++round) {
    for (size_t i = 0; i < algorithms.size(); ++i) {
      plan.algorithm = algorithms[i];
      bool ran = true;
      const float now = time_of(
          stream, [&] { ran = ran && run_call(stream, plan, trial.product(), 0) == CUBLAS_STATUS_SUCCESS; });
      if (ran) ms[i] = std::min(ms[i], now);
    }
  }
  const size_t best = size_t(std::min_element(ms.begin(), ms.end()) - ms.begin());
  plan.algorithm = algorithms[best];
  if (p.epilogue == Epilogue::none) return;
  plan.in_one = ms[best] <= time_of(stream, [&] { run_separately(stream, trial.product()); });
}

// Returns a plan with its algorithm. Without tuning, this is the first algorithm that cuBLASLt suggests.
Plan planned(Stream stream, const Matmul& p, const Problem& problem) {
  constexpr int kCandidates = 8;
  const bool tune = context().tune_matmul;
  Plan plan = make_plan(problem);
  point_to(plan, p);
  const auto algorithms = suggestions(library(stream.device).handle, problem, plan, tune ? kCandidates : 1);
  plan.in_one = !algorithms.empty();
  if (!plan.in_one) return plan;
  plan.algorithm = algorithms.front();
  if (tune) choose_by_time(stream, p, problem, algorithms, plan);
  return plan;
}

}  // namespace

void matmul(Stream stream, const Matmul& product) {
  require(product.alpha_on_device == nullptr || product.beta == 0 || product.beta == 1,
          "matmul: with alpha on the device, beta is 0 or 1, not {}", product.beta);
  Library& all = library(stream.device);
  Matmul p = product;
  if (!all.has_tf32)
    p.precision = MatmulPrecision::highest;  // float32 products otherwise round to TF32 or bf16
  const auto [calls, problem] = calls_of(p);
  auto& plans = context().tune_matmul ? all.tuned_plans : all.first_plans;
  auto entry = plans.find(problem);
  if (entry == plans.end()) entry = plans.emplace(problem, planned(stream, p, problem)).first;
  const Plan& plan = entry->second;
  if (!plan.in_one) return run_separately(stream, p);
  point_to(plan, p);
  for (int64_t i = 0; i < calls; ++i) check(run_call(stream, plan, p, i), "cublasLtMatmul");
}

}  // namespace gpt2::cuda
