#include "common/app/mfu.h"

#include <gtest/gtest.h>

namespace gpt2::app {
namespace {

// The matrices of a GPT-2 with L layers, C channels and V rows, and some that are no matrix product.
struct Matrices : nn::Module {
  Tensor wte, wpe, ln, c_attn[2], c_proj[2], c_fc[2], down[2];
  Matrices(int64_t C, int64_t V) {
    const auto add = [&](const std::string& name, Tensor& tensor, Shape shape) {
      tensor = empty(std::move(shape));
      register_parameter(name, tensor);
    };
    add("transformer.wte.weight", wte, {V, C});
    add("transformer.wpe.weight", wpe, {16, C});
    add("transformer.ln_f.weight", ln, {C});
    for (int i = 0; i < 2; ++i) {
      const std::string h = "transformer.h." + std::to_string(i);
      add(h + ".attn.c_attn.weight", c_attn[i], {3 * C, C});
      add(h + ".attn.c_proj.weight", c_proj[i], {C, C});
      add(h + ".mlp.c_fc.weight", c_fc[i], {4 * C, C});
      add(h + ".mlp.c_proj.weight", down[i], {C, 4 * C});
    }
  }
};

TEST(Mfu, CountsTheModelsMatrixProducts) {
  const double L = 2, C = 64, V = 384, T = 8;
  EXPECT_EQ(flops_per_token(Matrices(64, 384), 8), 6 * (12 * L * C * C + V * C) + 12 * L * C * T);
}

TEST(Mfu, KnowsThePeaksOfTheTable) {
  EXPECT_EQ(peak_flops("NVIDIA H200", "bf16"), 989.5e12);
  EXPECT_EQ(peak_flops("NVIDIA H100 80GB HBM3", "tf32"), 494.5e12);
  EXPECT_EQ(peak_flops("NVIDIA A100-SXM4-80GB", "fp32"), 19.5e12);
  EXPECT_EQ(peak_flops("NVIDIA GeForce RTX 4090", "bf16"), 165.2e12);
  EXPECT_EQ(peak_flops("NVIDIA GeForce RTX 4090", "tf32"), 82.6e12);
  for (const char* other : {"NVIDIA A10G", "NVIDIA GeForce RTX 4090 Laptop GPU", "AMD EPYC 9654", ""}) {
    EXPECT_EQ(peak_flops(other, "bf16"), std::nullopt) << other;
  }
}

struct WithoutFlags {};
struct WithPrecision {
  MatmulPrecision matmul_precision;
};
struct WithBoth {
  MatmulPrecision matmul_precision;
  DType dtype;
};

TEST(Mfu, TheArithmeticIsTheFlags) {
  EXPECT_EQ(arithmetic_of(WithoutFlags{}), "fp32");
  EXPECT_EQ(arithmetic_of(WithPrecision{MatmulPrecision::highest}), "fp32");
  EXPECT_EQ(arithmetic_of(WithPrecision{MatmulPrecision::high}), "tf32");
  EXPECT_EQ(arithmetic_of(WithPrecision{MatmulPrecision::medium}), "bf16");
  EXPECT_EQ(arithmetic_of(WithBoth{MatmulPrecision::high, DType::f32}), "tf32");
  EXPECT_EQ(arithmetic_of(WithBoth{MatmulPrecision::high, DType::bf16}), "bf16");
}

}  // namespace
}  // namespace gpt2::app
