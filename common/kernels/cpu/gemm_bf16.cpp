#include "common/kernels/cpu/gemm_bf16.h"

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <unordered_map>
#include <utility>

#ifdef GPT2_HAVE_ONEDNN
#include <omp.h>
#include <oneapi/dnnl/dnnl.hpp>
#endif

namespace gpt2::cpu {

#ifdef GPT2_HAVE_ONEDNN

namespace {

const dnnl::engine& engine() {
  static const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  return engine;
}

dnnl::memory::data_type type_of(DType dtype) {
  return dtype == DType::bf16 ? dnnl::memory::data_type::bf16 : dnnl::memory::data_type::f32;
}

// A matrix with one row or column may have any stride between lines; oneDNN requires at least the line's
// length.
template <class Void>
dnnl::memory::desc layout(const BasicMatrixView<Void>& m) {
  const dnnl::memory::dims strides = m.col_stride == 1
                                         ? dnnl::memory::dims{std::max(m.row_stride, m.cols), 1}
                                         : dnnl::memory::dims{1, std::max(m.col_stride, m.rows)};
  return {{m.rows, m.cols}, type_of(m.dtype), strides};
}

// oneDNN 3 has removed operation descriptors and output scales from its interface; Debian 12 has oneDNN 2.6.
#if DNNL_VERSION_MAJOR >= 3

void scale_by(float alpha, dnnl::primitive_attr&, dnnl::post_ops& steps) {
  steps.append_eltwise(dnnl::algorithm::eltwise_linear, alpha, 0);
}

template <class... Layouts>
dnnl::matmul::primitive_desc choose(const dnnl::primitive_attr& attributes, const Layouts&... layouts) {
  return {engine(), layouts..., attributes};
}

#else

void scale_by(float alpha, dnnl::primitive_attr& attributes, dnnl::post_ops&) {
  attributes.set_output_scales(0, {alpha});
}

template <class... Layouts>
dnnl::matmul::primitive_desc choose(const dnnl::primitive_attr& attributes, const Layouts&... layouts) {
  return {dnnl::matmul::desc(layouts...), attributes, engine()};
}

#endif

class OneDnnGemm : public GemmBf16 {
 public:
  explicit OneDnnGemm(const Matmul& p) : a_(layout(p.a)), b_(layout(p.b)), c_(layout(p.c)) {
    dnnl::primitive_attr attributes;
    attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
    dnnl::post_ops steps;  // in this order: scale the product, then add the old values
    if (p.alpha != 1) scale_by(p.alpha, attributes, steps);
    if (p.beta != 0) steps.append_sum(p.beta);
    attributes.set_post_ops(steps);
    if (p.bias) bias_ = {{1, p.c.cols}, type_of(p.c.dtype), dnnl::memory::format_tag::ab};
    const auto chosen = p.bias ? choose(attributes, a_, b_, bias_, c_) : choose(attributes, a_, b_, c_);
    is_reference_ = std::string(chosen.impl_info_str()).starts_with("ref");
    scratchpad_ = chosen.scratchpad_desc();
    product_ = dnnl::matmul(chosen);
  }

  bool is_reference() const { return is_reference_; }  // a plain loop: correct but very slow

  size_t scratchpad_bytes() const override { return scratchpad_.get_size(); }

  void run(const void* a, const void* b, void* c, const void* bias, void* scratchpad) const override {
    static thread_local dnnl::stream stream(engine());
    const auto memory = [](const dnnl::memory::desc& layout, const void* data) {
      return dnnl::memory(layout, engine(), const_cast<void*>(data));
    };
    std::unordered_map<int, dnnl::memory> arguments{{DNNL_ARG_SRC, memory(a_, a)},
                                                    {DNNL_ARG_WEIGHTS, memory(b_, b)},
                                                    {DNNL_ARG_DST, memory(c_, c)},
                                                    {DNNL_ARG_SCRATCHPAD, memory(scratchpad_, scratchpad)}};
    if (bias) arguments.emplace(DNNL_ARG_BIAS, memory(bias_, bias));
    product_.execute(stream, arguments);
  }

 private:
  dnnl::memory::desc a_, b_, c_, bias_, scratchpad_;
  dnnl::matmul product_;
  bool is_reference_ = false;
};

bool has_batch(const Matmul& p) { return p.batch[0] * p.batch[1] > 1; }

// Products that are made while this object exists use at most n threads.
class Threads {
 public:
  explicit Threads(int n) : before_(omp_get_max_threads()) { omp_set_num_threads(n); }
  ~Threads() { omp_set_num_threads(before_); }
  Threads(const Threads&) = delete;
  Threads& operator=(const Threads&) = delete;

 private:
  int before_;
};

std::unique_ptr<OneDnnGemm> make(const Matmul& p) {
  const Threads threads(has_batch(p) ? 1 : omp_get_max_threads());
  try {
    auto gemm = std::make_unique<OneDnnGemm>(p);
    return gemm->is_reference() ? nullptr : std::move(gemm);
  } catch (const dnnl::error&) {  // not supported on this CPU
    return nullptr;
  }
}

auto key_of(const Matmul& p) {
  return std::tuple(p.a.rows, p.a.cols, p.b.cols, p.a.row_stride, p.a.col_stride, p.b.row_stride,
                    p.b.col_stride, p.c.row_stride, p.c.dtype, p.bias != nullptr, p.alpha, p.beta,
                    has_batch(p));
}

}  // namespace

const GemmBf16* gemm_bf16(const Matmul& p) {
  if (p.bias && p.alpha != 1) return nullptr;  // oneDNN would scale the bias too
  thread_local std::map<decltype(key_of(p)), std::unique_ptr<OneDnnGemm>> made;
  const auto [entry, is_new] = made.try_emplace(key_of(p));
  if (is_new) entry->second = make(p);
  return entry->second.get();
}

#else

const GemmBf16* gemm_bf16(const Matmul&) { return nullptr; }

#endif

bool has_gemm_bf16() {
  constexpr int64_t kSize = 64;
  const auto operand = row_major(static_cast<const bf16*>(nullptr), kSize, kSize);
  return gemm_bf16({.a = operand, .b = operand, .c = row_major(static_cast<bf16*>(nullptr), kSize, kSize)}) !=
         nullptr;
}

}  // namespace gpt2::cpu
