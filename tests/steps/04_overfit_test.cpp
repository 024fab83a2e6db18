#include <chrono>
#include <thread>

#include "common/data/loader.h"
#include "common/optim/adamw.h"
#include "tests/common/golden.h"
#include "tests/steps/models.h"
#include "tests/steps/program.h"

// After gtest: a step says `using namespace gpt2`, which has a `testing` of its own.
#include "paths.h"
#include "steps/04_overfit/gpt2.h"

using namespace gpt2::testing;

using Overfit = OnEveryDevice;

TEST_P(Overfit, LogitsLossAndEveryGradientAgreeWithTorch) {
  const GoldenTensors golden("gradients.safetensors");
  nn::manual_seed(1337);
  GPT model({.block_size = 32, .vocab_size = 257, .n_layer = 2, .n_head = 2, .n_embd = 32});
  for (const auto& [name, tensor] : model.named_parameters()) {
    EXPECT_LE(max_relative_error(tensor->to_vector<float>(), golden.floats("weight." + name)), 1e-6) << name;
  }
  model.to(device());
  const Shape shape = golden.shape("idx");
  const Tensor x = from_vector(golden.ids("idx"), shape, device());
  const Tensor y = from_vector(golden.ids("targets"), shape, device());
  const auto [logits, loss] = model(x, y);
  loss.backward();
  EXPECT_LE(max_relative_error(logits.to_vector<float>(), golden.floats("logits")), 1e-4);
  EXPECT_LE(std::abs(loss.item() / golden.floats("loss")[0] - 1), 1e-6);
  for (const auto& [name, tensor] : model.named_parameters()) {
    std::vector<float> actual = tensor->grad().to_vector<float>(), expected = golden.floats("grad." + name);
    EXPECT_LE(relative_distance(actual, expected), 1e-4) << name;
  }
}

// oneDNN divides a product among omp_get_max_threads() threads; with fewer it would compute a part of it.
TEST(OverfitProgram, FewerThreadsThanAskedForGiveTheSameLosses) {
  using Variables = std::vector<std::pair<const char*, const char*>>;
  const auto losses_with = [](const Variables& variables) {
    for (const auto& [name, value] : variables) setenv(name, value, 1);
    const std::vector<double> losses = run_program("04_overfit", "--steps 3").losses();
    for (const auto& [name, value] : variables) unsetenv(name);
    return losses;
  };
  const std::vector<double> losses = losses_with({{"OMP_NUM_THREADS", "1"}});
  for (const Variables& variables : {Variables{{"OMP_NUM_THREADS", "2"}, {"OMP_THREAD_LIMIT", "1"}},
                                     Variables{{"OMP_NUM_THREADS", "8"}, {"OMP_DYNAMIC", "true"}},
                                     Variables{{"OMP_NUM_THREADS", "2"}, {"OMP_MAX_ACTIVE_LEVELS", "0"}}}) {
    EXPECT_LT(largest_difference(losses_with(variables), losses), 1e-5) << variables[1].first;
  }
}

TEST_P(Overfit, NothingIsRequestedFromTheSystemAfterTheSecondStep) {
  nn::manual_seed(1337);
  GPT model({.block_size = 32, .vocab_size = 257, .n_layer = 2, .n_head = 2, .n_embd = 32});
  model.to(device());
  DataLoaderLite loader(std::vector<int32_t>(1000, 7), 2, 17, device());
  optim::AdamW optimizer(model, {.lr = 3e-4});
  const Heap& memory = heap(device());
  size_t requests = 0, in_use = 0;
  for (int step = 0; step < 6; ++step) {
    const auto [x, y] = loader.next_batch();
    optimizer.zero_grad();
    {
      const auto [logits, loss] = model(x, y);
      loss.backward();
      optimizer.step();
      loss.item();
    }
    if (step >= 2) {
      EXPECT_EQ(memory.requests(), requests) << "step " << step;
      EXPECT_EQ(memory.bytes_in_use(), in_use) << "step " << step;
    }
    requests = memory.requests();
    in_use = memory.bytes_in_use();
  }
  EXPECT_GE(requests, 1u);
}

INSTANTIATE_ON_EVERY_DEVICE(Overfit);

namespace {

void expect_losses(const std::vector<double>& actual, const std::vector<double>& expected) {
  ASSERT_GE(actual.size(), expected.size());
  for (size_t i = 0; i < expected.size(); ++i)
    EXPECT_LE(std::abs(actual[i] / expected[i] - 1), 1e-4) << "step " << i;
}

const nlohmann::json& golden_losses(const std::string& model) {
  static const nlohmann::json losses = golden_json("losses.json");
  return losses.at(model);
}

}  // namespace

// 1000 documents of three bytes, and a separator after each: tokens, or 13 bytes more.
TEST(EndOfText, SeparatesTheDocumentsOfAText) {
  const TempDir folder;
  std::string text;
  for (int i = 0; i < 1000; ++i) text += "abc<|endoftext|>";
  put_file(folder / "text", text);
  for (const auto& [flags, tokens] : {std::pair{"", 4000}, {" --special-tokens off", 16000}}) {
    const Outcome outcome = run_program("04_overfit", "--steps 1 --data " + (folder / "text") + flags);
    EXPECT_EQ(outcome.status, 0) << outcome.error;
    EXPECT_NE(outcome.output.find("loaded " + std::to_string(tokens) + " tokens"), std::string::npos)
        << outcome.output;
  }
}

TEST(OverfitProgram, LossesOverTheTextAreTorchs) {
  expect_losses(run_program("04_overfit", "--seed 1337").losses(), golden_losses("tiny").at("loader"));
}

TEST(OverfitProgram, LossesOnTheFirstBatchAreTorchs) {
  expect_losses(run_program("04_overfit", "--overfit --steps 35").losses(),
                golden_losses("tiny").at("overfit"));
}

TEST(OverfitProgram, OverfitsOneBatch) {
  const auto losses = run_program("04_overfit", "--overfit --steps 1000").losses();
  EXPECT_LE(losses.back(), 0.01);
}

TEST(OverfitProgram, Gpt2LossesAreTorchs) {
  const std::string text = GPT2_SOURCE_DIR "/data/shakespeare/input.txt",
                    vocab = GPT2_SOURCE_DIR "/data/gpt2";
  if (!std::filesystem::exists(text) || !std::filesystem::exists(vocab)) {
    GTEST_SKIP() << "data/shakespeare or data/gpt2 is not there (./course data)";
  }
  const std::string flags =
      "--model gpt2 --batch 4 --seq 32 --steps 3 --data " + text + " --tokenizer " + vocab;
  expect_losses(run_program("04_overfit", flags).losses(), golden_losses("gpt2").at("loader"));
  expect_losses(run_program("04_overfit", flags + " --overfit").losses(),
                golden_losses("gpt2").at("overfit"));
}

TEST(OverfitProgram, ResidentMemoryIsFlatOver200Steps) {
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "AddressSanitizer keeps freed blocks to catch their use";
#endif
  const TempDir folder;
  const std::string log = folder / "log.jsonl";
  const std::string command =
      GPT2_BIN_DIR "/04_overfit --device cpu --steps 200 --log " + log + " > /dev/null & ";
  FILE* shell = popen((command + "echo $!").c_str(), "r");
  int pid = 0;
  ASSERT_EQ(fscanf(shell, "%d", &pid), 1);
  std::vector<int64_t> resident;  // KiB, after step 2 and from then on
  const std::string status = "/proc/" + std::to_string(pid) + "/status";
  for (std::ifstream file(status); file; file.close(), file.open(status)) {
    std::ifstream lines(log);
    const auto steps = std::count(std::istreambuf_iterator<char>(lines), {}, '\n') - 1;
    for (std::string line; std::getline(file, line);) {
      if (line.starts_with("VmRSS:") && steps > 2) resident.push_back(std::stoll(line.substr(6)));
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  pclose(shell);
  ASSERT_GE(resident.size(), 10u);
  EXPECT_LE(*std::max_element(resident.begin(), resident.end()), resident.front() * 1.02);
}

TEST(OverfitProgram, BadInputIsOneLine) {
  expect_error("04_overfit", "--steps 0", "--steps");
  expect_error("04_overfit", "--data LICENSE --batch 100 --seq 64", "more than the text's 1096 tokens");
  expect_error("04_overfit", "--batch 1000000 --seq 64", "the largest --batch that fits is ");
  expect_error("04_overfit", "--data /dev/null", "/dev/null");
  expect_error("04_overfit", "--log /dev/full", "--log /dev/full: No space left on device");
  expect_error("04_overfit", "--log /nowhere/log.jsonl", "/nowhere/log.jsonl");
}
