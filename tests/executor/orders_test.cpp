// Two ranks of steps 12 and 14 give the same bits in whatever order the work of their streams runs; and if one call in
// common is left out, they do not, or the executor refuses what they do. With 200 orders instead: ctest -C slow -L slow.
#include <gtest/gtest.h>

#include <ostream>

#include "paths.h"
#include "tests/common/dist/launch.h"

namespace gpt2::testing {
namespace {

struct Case {
  std::string run, bug;
  std::vector<std::string> messages;  // one of them
};

void PrintTo(const Case& planted, std::ostream* out) { *out << planted.run << " " << planted.bug; }

std::string test_name(const ::testing::TestParamInfo<Case>& test) {
  return "Step" + test.param.run + (test.param.bug.empty() ? "" : "_" + test.param.bug);
}

Ended run_orders(const Case& what, int orders) {
  return run_with_mpi(2, GPT2_BIN_DIR "/orders " + what.run + " " + std::to_string(orders) + " " + what.bug);
}

class Orders : public ::testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
    if (!have_mpirun()) GTEST_SKIP() << "mpirun is not there";
  }
};

using RightCode = Orders;
TEST_P(RightCode, GivesTheSameBitsInEveryOrder) {
  const int orders = GetParam().run.starts_with("14") ? 10 : 20;  // a run of step 14 takes longer
  const Ended ended = run_orders(GetParam(), orders);
  EXPECT_EQ(ended.status, 0) << ended.output;
  EXPECT_EQ(ended.count(" are the same in " + std::to_string(orders) + " orders"), 1) << ended.output;
}

INSTANTIATE_TEST_SUITE_P(Of, RightCode,
                         ::testing::Values(Case{"12_ddp_fp32", "", {}}, Case{"12_ddp_bf16", "", {}},
                                           Case{"14_graphs", "", {}}),
                         test_name);

using PlantedBug = Orders;
TEST_P(PlantedBug, IsCaught) {
  const Ended ended = run_orders(GetParam(), 20);
  EXPECT_NE(ended.status, 0);
  EXPECT_NE(ended.status, 124) << "the ranks wait for each other";
  int found = 0;
  for (const std::string& message : GetParam().messages) found += ended.count(message);
  EXPECT_GE(found, 1) << ended.output;
}

// The last two hand the GPU other bytes than were meant, or write to memory that is gone: that may end the program.
const std::string kDiffer = " values differ", kCrash = "Segmentation fault";
INSTANTIATE_TEST_SUITE_P(
    Of, PlantedBug,
    ::testing::Values(
        Case{"12_ddp_bf16", "bucket_read_before_it_is_ready", {kDiffer}},
        Case{"12_ddp_bf16", "adamw_before_the_all_reduce_ends", {kDiffer}},
        Case{"14_graphs",
             "bucket_read_before_it_is_ready",
             {"dependency created on uncaptured work in another stream"}},
        Case{"14_graphs", "adamw_before_the_all_reduce_ends", {"capturing stream has unjoined work"}},
        Case{"12_ddp_many_batches", "upload_buffer_reused_too_early", {kDiffer, kCrash}},
        Case{"12_ddp_fp32", "loss_read_without_synchronising", {kDiffer, kCrash}}),
    test_name);

}  // namespace
}  // namespace gpt2::testing
