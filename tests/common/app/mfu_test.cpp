#include "common/app/mfu.h"

#include <gtest/gtest.h>

#include "common/nn/layers.h"
#include "common/nn/pretrained.h"
#include "common/ops/ops.h"

namespace step12 {
#include "steps/12_ddp/gpt2.h"
}

namespace gpt2::app {
namespace {

TEST(Mfu, CountsTheModelsMatrixProducts) {
  const step12::GPT model(
      {/*block_size=*/16, /*vocab_size=*/257, /*n_layer=*/2, /*n_head=*/2, /*n_embd=*/64});
  const double L = 2, C = 64, V = 384, T = 8;  // 257 rows rounded up
  EXPECT_EQ(flops_per_token(model, 8), 6 * (12 * L * C * C + V * C) + 12 * L * C * T);
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
  std::string matmul_precision;
};
struct WithBoth {
  std::string matmul_precision, dtype;
};

TEST(Mfu, TheArithmeticIsTheFlags) {
  EXPECT_EQ(arithmetic_of(WithoutFlags{}), "fp32");
  EXPECT_EQ(arithmetic_of(WithPrecision{"highest"}), "fp32");
  EXPECT_EQ(arithmetic_of(WithPrecision{"high"}), "tf32");
  EXPECT_EQ(arithmetic_of(WithPrecision{"medium"}), "bf16");
  EXPECT_EQ(arithmetic_of(WithBoth{"high", "fp32"}), "tf32");
  EXPECT_EQ(arithmetic_of(WithBoth{"high", "bf16"}), "bf16");
}

}  // namespace
}  // namespace gpt2::app
