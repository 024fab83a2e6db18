#include "common/app/log.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "tests/common/files.h"

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

TEST(Log, TheMessageNamesTheNewestCheckpoint) {
  Log log("");
  log.checkpoint(20, "runs/a/step_000020");
  EXPECT_ERROR(log.step({.step = 21, .loss = NAN, .ms = 1, .tokens = 1}),
               "--resume-from step_000020 goes back to the newest checkpoint");
}

TEST(Log, AFileThatWasDeletedDuringTheRunIsThereAtItsEnd) {
  const testing::TempDir folder;
  Log log(folder / "log.jsonl");
  log.step({.step = 0, .loss = 1, .ms = 1, .tokens = 1});
  std::filesystem::remove(folder / "log.jsonl");
  log.done(Device{});
  const std::string text = testing::file_bytes(folder / "log.jsonl");
  EXPECT_TRUE(text.starts_with("{\"event\":\"step\"")) << text;
  EXPECT_NE(text.find("{\"event\":\"done\""), text.npos) << text;
}

}  // namespace
}  // namespace gpt2::app
