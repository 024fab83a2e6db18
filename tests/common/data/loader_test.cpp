#include "common/data/loader.h"

#include <numeric>

#include "tests/common/files.h"
#include "tests/common/testing.h"

namespace gpt2::testing {
namespace {

class LoaderTest : public OnEveryDevice {
 protected:
  // The ids 0, 1, 2, ...: a token tells its own place.
  DataLoaderLite loader(int64_t tokens, int64_t B, int64_t T) const {
    std::vector<int32_t> ids(static_cast<size_t>(tokens));
    std::iota(ids.begin(), ids.end(), 0);
    return DataLoaderLite(ids, B, T, device());
  }
};

std::vector<int32_t> range(int32_t begin, int64_t n) {
  std::vector<int32_t> ids(static_cast<size_t>(n));
  std::iota(ids.begin(), ids.end(), begin);
  return ids;
}

TEST_P(LoaderTest, YIsXShiftedByOneToken) {
  DataLoaderLite loader = this->loader(100, 2, 5);
  for (int32_t i = 0; i < 9; ++i) {
    const auto [x, y] = loader.next_batch();
    EXPECT_EQ(x.shape(), (Shape{2, 5}));
    EXPECT_EQ(y.shape(), (Shape{2, 5}));
    EXPECT_EQ(x.device(), device());
    EXPECT_EQ(x.to_vector<int32_t>(), range(10 * i, 10));
    EXPECT_EQ(y.to_vector<int32_t>(), range(10 * i + 1, 10));
  }
}

// The video's code: buf = tokens[p : p + B*T + 1]; p += B*T; if p + B*T + 1 > len(tokens): p = 0
TEST_P(LoaderTest, ServesTheWindowsOfTheVideosLoader) {
  for (const int64_t B : {1, 2, 3}) {
    for (const int64_t T : {1, 4, 7}) {
      for (int64_t tokens = B * T + 1; tokens < 4 * B * T + 3; ++tokens) {
        SCOPED_TRACE(to_string(Shape{tokens, B, T}));
        DataLoaderLite loader = this->loader(tokens, B, T);
        int64_t position = 0;
        for (int i = 0; i < 9; ++i) {
          const Batch batch = loader.next_batch();
          ASSERT_EQ(batch.x.to_vector<int32_t>(), range(int32_t(position), B * T));
          ASSERT_EQ(batch.y.to_vector<int32_t>(), range(int32_t(position) + 1, B * T));
          position += B * T;
          if (position + B * T + 1 > tokens) position = 0;
        }
        EXPECT_EQ(loader.num_tokens(), tokens);
        EXPECT_EQ(loader.batches_per_epoch(), tokens / (B * T));  // as the video prints it
      }
    }
  }
}

TEST_P(LoaderTest, ResetStartsOver) {
  DataLoaderLite loader = this->loader(100, 2, 5);
  loader.next_batch();
  loader.next_batch();
  loader.reset();
  EXPECT_EQ(loader.next_batch().x.to_vector<int32_t>(), range(0, 10));
}

TEST_P(LoaderTest, EveryBatchComesInTheSameMemory) {
  DataLoaderLite loader = this->loader(100, 2, 5);
  const Batch first = loader.next_batch();
  const size_t in_use = heap(device()).bytes_in_use();
  const Batch second = loader.next_batch();
  EXPECT_EQ(first.x.data<int32_t>(), second.x.data<int32_t>());
  EXPECT_EQ(first.y.data<int32_t>(), second.y.data<int32_t>());
  EXPECT_EQ(heap(device()).bytes_in_use(), in_use);
}

TEST_P(LoaderTest, ATextThatFillsNoBatchIsAnError) {
  EXPECT_NO_THROW(loader(11, 2, 5));
  EXPECT_ERROR(
      loader(10, 2, 5),
      "--batch 2 x --seq 5 and one target are more than the text's 10 tokens; use a smaller batch or a "
      "longer text");
  EXPECT_ERROR(loader(0, 1, 1), "--batch 1 x --seq 1 and one target are more than the text's 0 tokens");
  EXPECT_ERROR(loader(1, 1, 1), "more than the text's 1 tokens");
  EXPECT_ERROR(loader(100, int64_t{1} << 40, int64_t{1} << 40),
               "more than the text's 100 tokens");  // no overflow
}

INSTANTIATE_ON_EVERY_DEVICE(LoaderTest);

}  // namespace
}  // namespace gpt2::testing
