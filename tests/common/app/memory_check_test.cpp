#include "common/app/memory_check.h"

#include "tests/common/files.h"

namespace gpt2::testing {
namespace {

// A step that takes 1 GB, and `per_sequence` for each sequence.
std::function<size_t(int64_t)> step(size_t per_sequence) {
  return [per_sequence](int64_t B) {
    size_t bytes = 0;
    EXPECT_FALSE(__builtin_mul_overflow(per_sequence, size_t(B), &bytes)) << B << " sequences";
    return bytes + 1'000'000'000;
  };
}

// What is left beside the 1 GB, in sequences.
int64_t room(size_t per_sequence) {
  return int64_t((backend(kCpu).available_memory_bytes() - 1'000'000'000) / per_sequence);
}

TEST(RequireMemory, NamesTheLargestBatchThatFitsForEveryBatchHoweverLarge) {
  constexpr size_t kBytes = 100'000'000;
  for (const int64_t B : {int64_t{1} << 20, int64_t{100'000'000'000}, int64_t{1'000'000'000'000},
                          int64_t{1} << 40, INT64_MAX / 4}) {
    const std::string error = error_of([&] { app::require_memory(kCpu, B, 64, step(kBytes)); });
    const std::string before = "the largest --batch that fits is ";
    EXPECT_EQ(error.find(fmt::format("--batch {} x --seq 64: a training step needs ", B)), 0u) << error;
    ASSERT_NE(error.find(before), error.npos) << error;
    const int64_t largest = std::stoll(error.substr(error.find(before) + before.size()));
    EXPECT_NEAR(double(largest), double(room(kBytes)), 0.5 * double(room(kBytes))) << error;
  }
}

TEST(RequireMemory, AcceptsABatchThatFits) {
  EXPECT_NO_THROW(app::require_memory(kCpu, 1, 64, step(1000)));
  EXPECT_NO_THROW(app::require_memory(kCpu, 100, 64, step(1000)));
}

TEST(RequireMemory, SaysThatNotEvenOneSequenceFits) {
  for (const int64_t B : {int64_t{1}, int64_t{2}, int64_t{1} << 40})
    EXPECT_ERROR(app::require_memory(kCpu, B, 64, step(size_t{1} << 50)), "not even --batch 1 fits");
}

}  // namespace
}  // namespace gpt2::testing
