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

// As logger.h of llm.c writes them; its notebook takes what stands before and after the first colons.
TEST(Log, LlmcsLogHasALineForEachStepLossAndScore) {
  EXPECT_EQ(
      llmc_log("{\"event\":\"config\",\"steps\":9}\n"
               "{\"event\":\"val\",\"step\":0,\"loss\":10.98765}\n"
               "{\"event\":\"hellaswag\",\"step\":250,\"acc_norm\":0.25419,\"acc\":0.3,\"items\":10042}\n"
               "{\"event\":\"step\",\"step\":18,\"loss\":9.5,\"lr\":6.0004e-4,\"norm\":1.005001,\"ms\":1}\n"
               "{\"event\":\"step\",\"step\":19,\"loss\":9.5}\n"
               "{\"event\":\"step\",\"step\":19,\"loss\":\"x\",\"lr\":1,\"norm\":1}\nnot JSON\n[1]\n"
               "{\"event\":\"sample\",\"step\":3,\"text\":\"Hi\"}\n{\"event\":\"done\"}"),
      "s:0 tel:10.9877\ns:250 eval:0.2542\ns:18 trl:9.5000 lr:0.000600 norm:1.01\n");
  EXPECT_EQ(llmc_log(""), "");
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
