// Which library should multiply the matrices of a GPT-2 training step on this CPU? Times every product of
// one step (124M by default) with each candidate and adds them up.
//
//   gemm_study --tokens 1024 --seq 256 [--library openblas=/path/libopenblas.so.0] [--library new=/path/libdnnl.so.3]
//
// A --library is any shared object with cblas_sgemm or dnnl_sgemm. Candidates take turns on each shape, so
// that a busy neighbour disturbs all alike. gemm_study.py prints the same rows for torch;
// docs/timing/gemm_study.md has the figures and the choice.
#include <dlfcn.h>
#include <fmt/format.h>
#include <omp.h>
#include <oneapi/dnnl/dnnl.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <functional>
#include <string>
#include <vector>

#include "common/base/error.h"
#include "common/kernels/matmul.h"

namespace gpt2 {
namespace {

// One kind of product of the step: C (M, N) = A B, an operand stored transposed where its flag says so.
struct Product {
  std::string name;
  int64_t M, N, K;
  bool a_transposed, b_transposed;
  int64_t batch, per_step;  // batch matrices a call, per_step calls a step

  double gflop() const { return 2e-9 * double(M) * double(N) * double(K) * double(batch); }
  int64_t lda() const { return a_transposed ? M : K; }
  int64_t ldb() const { return b_transposed ? K : N; }
};

struct Candidate {
  std::string name;
  std::function<void(const Product&, const float* a, const float* b, float* c)> multiply;
};

using BlasSgemm = void(int order, int trans_a, int trans_b, int m, int n, int k, float alpha, const float* a,
                       int lda, const float* b, int ldb, float beta, float* c, int ldc);
using DnnlSgemm = decltype(dnnl_sgemm);

ConstMatrixView stored(const float* data, int64_t rows, int64_t cols, bool transposed) {
  auto view = transposed ? row_major(data, cols, rows).transposed() : row_major(data, rows, cols);
  view.batch_stride[0] = rows * cols;
  return view;
}

void multiply_ours(const Product& p, const float* a, const float* b, float* c) {
  auto result = row_major(c, p.M, p.N);
  result.batch_stride[0] = p.M * p.N;
  cpu::matmul(Stream{}, {.a = stored(a, p.M, p.K, p.a_transposed),
                         .b = stored(b, p.K, p.N, p.b_transposed),
                         .c = result,
                         .batch = {p.batch, 1}});
}

// A library without batches: one thread a matrix, as our kernel does it.
Candidate looped(std::string name,
                 std::function<void(const Product&, const float*, const float*, float*)> one) {
  return {std::move(name), [one](const Product& p, const float* a, const float* b, float* c) {
#pragma omp parallel for if (p.batch > 1)
            for (int64_t i = 0; i < p.batch; ++i)
              one(p, a + i * p.M * p.K, b + i * p.K * p.N, c + i * p.M * p.N);
          }};
}

Candidate onednn(std::string name, DnnlSgemm* sgemm) {
  return looped(std::move(name), [sgemm](const Product& p, const float* a, const float* b, float* c) {
    sgemm(p.a_transposed ? 'T' : 'N', p.b_transposed ? 'T' : 'N', p.M, p.N, p.K, 1, a, p.lda(), b, p.ldb(), 0,
          c, p.N);
  });
}

Candidate blas(std::string name, BlasSgemm* sgemm) {
  return looped(std::move(name), [sgemm](const Product& p, const float* a, const float* b, float* c) {
    constexpr int kRowMajor = 101, kNoTrans = 111, kTrans = 112;
    sgemm(kRowMajor, p.a_transposed ? kTrans : kNoTrans, p.b_transposed ? kTrans : kNoTrans, int(p.M),
          int(p.N), int(p.K), 1, a, int(p.lda()), b, int(p.ldb()), 0, c, int(p.N));
  });
}

Candidate open_library(const std::string& name_and_path) {
  const size_t equals = name_and_path.find('=');
  require(equals != std::string::npos, "--library {}: expected NAME=PATH", name_and_path);
  const std::string name = name_and_path.substr(0, equals), path = name_and_path.substr(equals + 1);
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND);
  require(library, "--library {}: {}", name, library ? "" : dlerror());
  if (void* f = dlsym(library, "dnnl_sgemm")) return onednn(name, reinterpret_cast<DnnlSgemm*>(f));
  if (void* f = dlsym(library, "cblas_sgemm")) return blas(name, reinterpret_cast<BlasSgemm*>(f));
  fail("--library {}: {} has neither dnnl_sgemm nor cblas_sgemm", name, path);
}

// y = x W^T, dx = dy W, dW = dy^T x
void add_linear(std::vector<Product>& step, const std::string& name, int64_t tokens, int64_t in, int64_t out,
                int64_t n) {
  step.push_back({name + " y", tokens, out, in, false, true, 1, n});
  step.push_back({name + " dx", tokens, in, out, false, false, 1, n});
  step.push_back({name + " dW", out, in, tokens, true, false, 1, n});
}

std::vector<Product> products_of_a_step(int64_t tokens, int64_t T, int64_t C, int64_t layers, int64_t heads,
                                        int64_t vocab) {
  const int64_t hs = C / heads, batch = tokens / T * heads;
  std::vector<Product> step;
  add_linear(step, "c_attn", tokens, C, 3 * C, layers);
  step.push_back({"q k^T", T, T, hs, false, true, batch, 2 * layers});     // also datt = dy v^T
  step.push_back({"att v", T, hs, T, false, false, batch, 2 * layers});    // also dq = datt k
  step.push_back({"att^T dy", T, hs, T, true, false, batch, 2 * layers});  // dv; also dk = datt^T q
  add_linear(step, "c_proj", tokens, C, C, layers);
  add_linear(step, "mlp.c_fc", tokens, C, 4 * C, layers);
  add_linear(step, "mlp.c_proj", tokens, 4 * C, C, layers);
  add_linear(step, "lm_head", tokens, C, vocab, 1);
  return step;
}

double seconds(const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// Seconds of each candidate's fastest call: what the library can do, whoever else uses the machine.
std::vector<double> measure(const Product& p, const std::vector<Candidate>& candidates) {
  const std::vector<float> a(size_t(p.M * p.K * p.batch), 0.5f), b(size_t(p.K * p.N * p.batch), 0.25f);
  std::vector<float> c(size_t(p.M * p.N * p.batch));
  std::vector<double> best(candidates.size(), INFINITY);
  const int rounds = int(std::clamp(120 / p.gflop(), 6.0, 200.0));
  for (int round = 0; round < rounds; ++round) {
    for (size_t i = 0; i < candidates.size(); ++i) {
      best[i] = std::min(best[i], seconds([&] { candidates[i].multiply(p, a.data(), b.data(), c.data()); }));
    }
  }
  return best;
}

void print_table(const std::vector<Product>& step, const std::vector<Candidate>& candidates) {
  std::vector<double> total(candidates.size());
  fmt::print("{:14}{:>7}{:>7}{:>7}{:>6} ", "GFLOP/s", "M", "N", "K", "calls");
  for (const auto& c : candidates) fmt::print("{:>12}", c.name);
  for (const auto& p : step) {
    const auto best = measure(p, candidates);
    fmt::print("\n{:14}{:7}{:7}{:7}{:6} ", p.name, p.M, p.N, p.K, p.per_step);
    for (size_t i = 0; i < best.size(); ++i) {
      fmt::print("{:12.1f}", p.gflop() / best[i]);
      total[i] += best[i] * double(p.per_step);
    }
    std::fflush(stdout);
  }
  fmt::print("\n{:42}", "ms of a step");
  for (double t : total) fmt::print("{:12.1f}", 1e3 * t);
  fmt::print("\n");
}

}  // namespace
}  // namespace gpt2

int main(int argc, char** argv) try {
  using namespace gpt2;
  CLI::App app{"Times the matrix products of one GPT-2 training step with several libraries."};
  int64_t tokens = 1024, T = 256, C = 768, layers = 12, heads = 12, vocab = 50257;
  std::vector<std::string> libraries;
  app.add_option("--tokens", tokens, "B * T");
  app.add_option("--seq", T, "T");
  app.add_option("--channels", C);
  app.add_option("--layers", layers);
  app.add_option("--heads", heads);
  app.add_option("--vocab", vocab);
  app.add_option("--library", libraries, "NAME=PATH of another library to measure");
  CLI11_PARSE(app, argc, argv);

  std::vector<Candidate> candidates{{"ours", multiply_ours}, onednn("dnnl_sgemm", dnnl_sgemm)};
  for (const auto& library : libraries) candidates.push_back(open_library(library));
  fmt::print("{} threads, oneDNN {}.{}.{}, {} tokens\n", omp_get_max_threads(), dnnl_version()->major,
             dnnl_version()->minor, dnnl_version()->patch, tokens);
  print_table(products_of_a_step(tokens, T, C, layers, heads, vocab), candidates);
  return 0;
} catch (const gpt2::Error& error) {
  fmt::print(stderr, "gemm_study: {}\n", error.what());
  return 1;
}
