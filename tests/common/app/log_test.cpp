#include "common/app/log.h"

#include <gtest/gtest.h>

#include <cmath>

namespace gpt2::app {
namespace {

TEST(Log, ALossOrANormThatIsNotFiniteStopsTheRun) {
  Log log("");
  log.step({.step = 0, .loss = 1, .lr = 1e-3, .norm = 2, .ms = 1, .tokens = 1});
  for (const double bad : {double(NAN), double(INFINITY)}) {
    EXPECT_THROW(log.step({.step = 1, .loss = bad, .ms = 1, .tokens = 1}), Error);
    EXPECT_THROW(log.step({.step = 1, .loss = 1, .lr = 1e-3, .norm = bad, .ms = 1, .tokens = 1}), Error);
  }
}

}  // namespace
}  // namespace gpt2::app
