#include "common/app/program.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <new>

#include "common/base/error.h"

namespace gpt2::testing {
namespace {

int run_with(const std::function<void()>& body) {
  setenv("OMP_WAIT_POLICY", "passive", 0);  // without it, run() would start this test program anew
  char name[] = "program";
  char* argv[] = {name, nullptr};
  return app::run("04_overfit", 1, argv, [&](app::CommandLine&) { body(); });
}

TEST(Run, PrintsAnErrorAsOneLineAndGivesStatusOne) {
  ::testing::internal::CaptureStderr();
  EXPECT_EQ(run_with([] { fail("--seq 2048 is longer than the model's block size 1024"); }), 1);
  EXPECT_EQ(::testing::internal::GetCapturedStderr(),
            "04_overfit: --seq 2048 is longer than the model's block size 1024\n");
  ::testing::internal::CaptureStderr();
  EXPECT_EQ(run_with([] { throw std::bad_alloc(); }), 1);
  EXPECT_EQ(::testing::internal::GetCapturedStderr(),
            "04_overfit: out of memory; try a smaller --batch or --seq\n");
  ::testing::internal::CaptureStderr();
  EXPECT_EQ(run_with([] {}), 0);
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "");
}

}  // namespace
}  // namespace gpt2::testing
