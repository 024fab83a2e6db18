#include "tests/common/files.h"
#include "tests/common/ops/op_checks.h"

namespace gpt2::testing {
namespace {

class AttentionOp : public OnEveryDevice {};

Tensor written_out(const Tensor& q, const Tensor& k, const Tensor& v) {
  const Tensor att = matmul(q, k.transpose(-2, -1)) / std::sqrt(double(q.size(-1)));
  return matmul(softmax(causal_mask(att)), v);
}

// q, k and v as the model makes them: parts of one packed (B, T, 3C) tensor, heads as strides.
Tensor attend(const Tensor& qkv, int64_t heads,
              Tensor (*attention)(const Tensor&, const Tensor&, const Tensor&)) {
  const auto [B, T, C3] = qkv.sizes<3>();
  const int64_t hs = C3 / 3 / heads;
  auto [q, k, v] = split<3>(qkv, 2);
  q = q.view({B, T, heads, hs}).transpose(1, 2);
  k = k.view({B, T, heads, hs}).transpose(1, 2);
  v = v.view({B, T, heads, hs}).transpose(1, 2);
  return attention(q, k, v).transpose(1, 2).contiguous().view({B, T, C3 / 3});
}

TEST_P(AttentionOp, IsAttentionWrittenOut) {
  for (const int64_t T : {1, 5, 33, 70}) {
    const std::vector<Input> inputs = {random_input({2, T, 3 * 2 * 32}, 1, -2, 2)};
    const std::vector<float> dy = uniform(2 * T * 64, -1, 1, 3);
    const OpResult actual = differentiate(
        device(), inputs,
        [](const std::vector<Tensor>& in) { return attend(in[0], 2, scaled_dot_product_attention); }, dy);
    const OpResult expected = differentiate(
        device(), inputs, [](const std::vector<Tensor>& in) { return attend(in[0], 2, written_out); }, dy);
    EXPECT_LE(max_relative_error(actual.y, expected.y), 5e-6) << T;
    EXPECT_LE(max_relative_error(actual.gradients[0], expected.gradients[0]), 5e-6) << T;
  }
}

TEST_P(AttentionOp, TakesTensorsThatAreNotPacked) {
  std::vector<Input> inputs;
  for (unsigned i = 0; i < 3; ++i) inputs.push_back(random_input({1, 2, 9, 32}, i + 1));
  const std::vector<float> dy = uniform(2 * 9 * 32, -1, 1, 9);
  const OpResult actual = differentiate(
      device(), inputs,
      [](const std::vector<Tensor>& in) { return scaled_dot_product_attention(in[0], in[1], in[2]); }, dy);
  const OpResult expected = differentiate(
      device(), inputs, [](const std::vector<Tensor>& in) { return written_out(in[0], in[1], in[2]); }, dy);
  for (size_t i = 0; i < 3; ++i)
    EXPECT_LE(max_relative_error(actual.gradients[i], expected.gradients[i]), 5e-6) << i;
}

TEST_P(AttentionOp, CopiesNothingOfAPackedBuffer) {
  const Tensor qkv = from_vector(uniform(2 * 8 * 192, -1, 1), {2, 8, 192}, device()).set_requires_grad();
  const Tensor packed = qkv * 1.0;
  context().counts.reset();
  const Tensor y = attend(packed, 2, scaled_dot_product_attention);
  matmul(y.view({1, -1}), from_vector(uniform(y.numel(), -1, 1), {y.numel(), 1}, device())).backward();
  EXPECT_FALSE(context().counts.by_kernel().contains("copy_strided"));
}

// Sizes without kernels are padded with zeros; the scores' scale stays that of the size that was given.
TEST_P(AttentionOp, IsAttentionWrittenOutForEveryHeadSize) {
  for (const int64_t hs : {1, 7, 8, 13, 16, 24, 33, 40, 48, 56, 65, 72, 88, 104, 112, 120, 127, 128}) {
    const int64_t T = 9, C = 2 * hs;
    const std::vector<Input> inputs = {random_input({2, T, 3 * C}, 1, -2, 2)};
    const std::vector<float> dy = uniform(2 * T * C, -1, 1, 3);
    const OpResult actual = differentiate(
        device(), inputs,
        [](const std::vector<Tensor>& in) { return attend(in[0], 2, scaled_dot_product_attention); }, dy);
    const OpResult expected = differentiate(
        device(), inputs, [](const std::vector<Tensor>& in) { return attend(in[0], 2, written_out); }, dy);
    EXPECT_LE(max_relative_error(actual.y, expected.y), 5e-6) << hs;
    EXPECT_LE(max_relative_error(actual.gradients[0], expected.gradients[0]), 5e-6) << hs;
  }
}

TEST_P(AttentionOp, NamesTheLargestHeadSize) {
  for (const int64_t hs : {129, 160, 256}) {
    const Tensor x = empty({1, 1, 4, hs}, device());
    EXPECT_ERROR(
        scaled_dot_product_attention(x, x, x),
        fmt::format("heads of {} channels; flash attention takes at most 128, steps 01 to 07 take any", hs));
  }
}

INSTANTIATE_ON_EVERY_DEVICE(AttentionOp);

}  // namespace
}  // namespace gpt2::testing
