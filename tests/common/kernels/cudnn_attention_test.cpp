#ifdef GPT2_CUDA
#include "common/kernels/cuda/cudnn_attention.h"

#include <cmath>
#include <cstring>

#include "common/base/error.h"
#include "tests/common/testing.h"
#ifdef GPT2_HAVE_CUDNN
#include "tests/common/attention_oracle.h"
#endif

namespace gpt2::testing {
namespace {

#ifdef GPT2_HAVE_CUDNN

constexpr int64_t kBatch = 2, kHeads = 3;

// q, k, v side by side in a packed (B, T, 3C) buffer, y and dy in (B, T, C), gradients like q, k, v.
class CudnnAttentionTest : public OnEveryDevice {
 protected:
  struct Outputs {
    std::vector<float> y, log_sum_exp, dq, dk, dv;  // (B, heads, T, hs), but log_sum_exp (B, heads, T)
  };

  static AttentionShape shape_of(int64_t T, int64_t hs) {
    return {kBatch, kHeads, T, hs, float(1 / std::sqrt(double(hs)))};
  }

  // Head `third` of a buffer whose rows hold `thirds` times all heads.
  template <class T>
  static HeadsView<T> heads(T* data, const AttentionShape& s, int64_t thirds, int64_t third) {
    const int64_t C = s.heads * s.hs;
    return {data + third * C, s.T * thirds * C, s.hs, thirds * C};
  }

  // What lies in those heads, (B, heads, T, hs).
  static std::vector<float> dense(const std::vector<bf16>& buffer, const AttentionShape& s, int64_t thirds,
                                  int64_t third) {
    const auto view = heads(buffer.data(), s, thirds, third);
    std::vector<float> values;
    for (int64_t b = 0; b < s.B; ++b) {
      for (int64_t h = 0; h < s.heads; ++h) {
        for (int64_t t = 0; t < s.T; ++t) {
          for (int64_t c = 0; c < s.hs; ++c) {
            values.push_back(
                view.data[b * view.batch_stride + h * view.head_stride + t * view.row_stride + c]);
          }
        }
      }
    }
    return values;
  }

  static Outputs run(const AttentionShape& s, const std::vector<bf16>& qkv, const std::vector<bf16>& dy) {
    const auto n = int64_t(dy.size());
    const Stream stream = context().stream(kCuda);
    DeviceArray<bf16> in(kCuda, qkv), gradient(kCuda, dy), y(kCuda, n), out(kCuda, 3 * n);
    DeviceArray<float> log_sum_exp(kCuda, s.B * s.heads * s.T);
    const auto third = [&](int64_t i) { return heads<const bf16>(in.data(), s, 3, i); };
    cuda::cudnn_attention_forward(stream, heads(y.data(), s, 1, 0), log_sum_exp.data(), third(0), third(1),
                                  third(2), s);
    cuda::cudnn_attention_backward(stream, heads(out.data(), s, 3, 0), heads(out.data(), s, 3, 1),
                                   heads(out.data(), s, 3, 2), heads<const bf16>(gradient.data(), s, 1, 0),
                                   heads<const bf16>(y.data(), s, 1, 0), log_sum_exp.data(), third(0),
                                   third(1), third(2), s);
    const auto gradients = out.to_host();
    return {dense(y.to_host(), s, 1, 0), log_sum_exp.to_host(), dense(gradients, s, 3, 0),
            dense(gradients, s, 3, 1), dense(gradients, s, 3, 2)};
  }

  static std::vector<bf16> random(int64_t n, unsigned seed) {
    const auto values = uniform(n, -2, 2, seed);
    return {values.begin(), values.end()};
  }
};

// bf16: results are rounded once, probabilities and gradients of scores once before their product.
TEST_P(CudnnAttentionTest, AgreesWithTheDoubleOracle) {
  constexpr double kTolerance = 0x1p-7;
  for (const int64_t hs : {32, 64, 128}) {
    for (const int64_t T : {64, 129, 256}) {
      const AttentionShape s = shape_of(T, hs);
      ASSERT_EQ(cuda::cudnn_attention_refusal(context().stream(kCuda), s, true), "") << T << " " << hs;
      const int64_t n = kBatch * T * kHeads * hs;
      const auto qkv = random(3 * n, 1), dy = random(n, 2);
      const oracle::AttentionInputs in{to_double(dense(qkv, s, 3, 0)),
                                       to_double(dense(qkv, s, 3, 1)),
                                       to_double(dense(qkv, s, 3, 2)),
                                       T,
                                       hs,
                                       s.scale};
      const auto expected = oracle::attention_backward(in, to_double(dense(dy, s, 1, 0)));
      const Outputs out = run(s, qkv, dy);
      EXPECT_LE(max_relative_error(out.y, oracle::attention(in)), kTolerance) << T << " " << hs;
      EXPECT_LE(max_relative_error(out.log_sum_exp, oracle::attention_log_sum_exp(in)), 1e-4)
          << T << " " << hs;
      EXPECT_LE(max_relative_error(out.dq, expected.dq), kTolerance) << T << " " << hs;
      EXPECT_LE(max_relative_error(out.dk, expected.dk), kTolerance) << T << " " << hs;
      EXPECT_LE(max_relative_error(out.dv, expected.dv), kTolerance) << T << " " << hs;
    }
  }
}

TEST_P(CudnnAttentionTest, TheSameInputGivesTheSameBits) {
  const AttentionShape s = shape_of(512, 64);
  const int64_t n = kBatch * s.T * kHeads * s.hs;
  const auto qkv = random(3 * n, 1), dy = random(n, 2);
  const Outputs first = run(s, qkv, dy);
  for (int i = 0; i < 3; ++i) {
    const Outputs again = run(s, qkv, dy);
    EXPECT_EQ(again.y, first.y);
    EXPECT_EQ(again.dq, first.dq);
    EXPECT_EQ(again.dk, first.dk);
    EXPECT_EQ(again.dv, first.dv);
  }
}

INSTANTIATE_TEST_SUITE_P(On, CudnnAttentionTest, ::testing::Values(kCuda), device_name);

#else

TEST(CudnnAttentionInABuildWithoutCudnn, SaysSo) {
  EXPECT_FALSE(cuda::cudnn_attention_available());
  EXPECT_EQ(cuda::cudnn_attention_refusal(Stream{kCuda}, {2, 3, 64, 64, 0.125f}, true),
            "this build has no cuDNN");
  EXPECT_THROW(cuda::cudnn_attention_forward(Stream{kCuda}, {}, nullptr, {}, {}, {}, {}), Error);
  EXPECT_THROW(cuda::cudnn_attention_backward(Stream{kCuda}, {}, {}, {}, {}, {}, nullptr, {}, {}, {}, {}),
               Error);
}

#endif

}  // namespace
}  // namespace gpt2::testing
#endif
