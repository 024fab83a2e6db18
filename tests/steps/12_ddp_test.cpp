#include <filesystem>

#include "paths.h"
#include "tests/common/dist/launch.h"
#include "tests/steps/program.h"

using namespace gpt2::testing;

namespace {

const std::string kFlags = " --device cpu --dtype fp32 --steps 20";

// The losses of a run as that many ranks.
std::vector<double> losses_of(int ranks) {
  const TempDir folder;
  const std::string log = folder / "log.jsonl";
  const Ended ended = run_with_mpi(ranks, GPT2_BIN_DIR "/12_ddp --log " + log + kFlags);
  EXPECT_EQ(ended.status, 0) << ended.output;
  std::vector<double> losses;
  std::ifstream lines(log);
  for (std::string line; std::getline(lines, line);) {
    const auto event = nlohmann::json::parse(line);
    if (event.at("event") == "step") losses.push_back(event.at("loss"));
  }
  return losses;
}

}  // namespace

TEST(Ddp, OneRankIsStep11) {
  EXPECT_EQ(run_program("12_ddp", "--steps 10").losses(),
            run_program("11_grad_accum", "--steps 10").losses());
}

TEST(Ddp, TheLossesDoNotDependOnTheNumberOfRanks) {
  if (!have_mpirun()) GTEST_SKIP() << "mpirun is not there";
  const std::vector<double> alone = run_program("12_ddp", kFlags).losses();
  ASSERT_EQ(alone.size(), 20u);
  for (const int ranks : {2, 3, 4}) EXPECT_LE(largest_difference(losses_of(ranks), alone), 1e-5) << ranks;
}

TEST(Ddp, OneRankSpeaks) {
  if (!have_mpirun()) GTEST_SKIP() << "mpirun is not there";
  const Ended ended = run_with_mpi(3, GPT2_BIN_DIR "/12_ddp --device cpu --steps 2");
  EXPECT_EQ(ended.count("step    1 | loss: "), 1) << ended.output;
}

TEST(Ddp, BadInputIsOneLine) {
  expect_error(
      "12_ddp", "--total-batch 1000",
      "--total-batch 1000: not a multiple of 256 (--batch 4 x --seq 64); the nearest multiples are 768");
  if (!have_mpirun()) GTEST_SKIP() << "mpirun is not there";
  const Ended ended = run_with_mpi(2, GPT2_BIN_DIR "/12_ddp --device cpu --total-batch 768");
  EXPECT_EQ(ended.status, 1);
  EXPECT_EQ(
      ended.count("12_ddp: --total-batch 768: not a multiple of 512 (--batch 4 x --seq 64 x 2 ranks); the "
                  "nearest multiples are 512 and 1024\n"),
      1)
      << ended.output;
}

TEST(Ddp, TheDefaultBatchSuitsAnyNumberOfRanks) {
  if (!have_mpirun()) GTEST_SKIP() << "mpirun is not there";
  for (const int ranks : {5, 8}) {
    const Ended ended = run_with_mpi(ranks, GPT2_BIN_DIR "/12_ddp --device cpu --steps 1");
    EXPECT_EQ(ended.status, 0) << ended.output;
    EXPECT_EQ(ended.count("step    0 | loss: "), 1) << ended.output;
  }
}

// ---- ranks that do not belong together

namespace {

// A text of `size` bytes in which nothing but the first byte depends on `first`.
std::string text_file(const TempDir& folder, const std::string& name, size_t size, char first) {
  std::string text = "The cat sat on the mat.\n";
  while (text.size() < size) text += text;
  text.resize(size);
  text[0] = first;
  put_file(folder / name, text);
  return folder / name;
}

}  // namespace

TEST(Ddp, RanksThatDifferEndBeforeTheFirstStep) {
  if (!have_mpirun()) GTEST_SKIP() << "mpirun is not there";
  const TempDir folder;
  const std::string text = text_file(folder, "text", 50000, 'T'),
                    same = text_file(folder, "same", 50000, 'T'),
                    other = text_file(folder, "other", 50000, 'U'),
                    longer = text_file(folder, "longer", 60000, 'T');
  // A copy of the tales' model in which two values of something are exchanged.
  const auto model = [&](const std::string& name, const std::string& exchanged = "") {
    const std::filesystem::path copy = folder / name;
    if (std::filesystem::exists(copy)) return copy.string();
    std::filesystem::create_directories(copy.parent_path());
    std::filesystem::copy(GPT2_SOURCE_DIR "/data/tales-gpt2", copy);
    if (exchanged == "weights") {
      std::string bytes = file_bytes(copy / "model.safetensors");
      std::swap(bytes.end()[-1], bytes.end()[-5]);  // the signs and exponents of the last two
      put_file(copy / "model.safetensors", bytes);
    } else if (exchanged == "tokenizer") {
      auto ids = nlohmann::json::parse(file_bytes(copy / "vocab.json"));
      std::swap(ids["z"], ids["q"]);
      put_file(copy / "vocab.json", ids.dump());
    }
    return copy.string();
  };
  // The folder of a run with that model as its checkpoint.
  const auto run = [&](const std::string& name, const std::string& exchanged = "") {
    const std::string checkpoint = model(name + "/step_000001", exchanged);
    put_file(checkpoint + "/state.json", "{}");
    return std::filesystem::path(checkpoint).parent_path().string();
  };
  const std::vector<Difference> differences = {
      {{"--max-lr 1e-3", "--max-lr 1e-4"}, "ranks differ: --max-lr is 0.001 on rank 0, 0.0001 on rank 1; "},
      {{"", "--max-lr 1e-3"}, "--max-lr is 0.0006 on rank 0, 0.001 on rank 1; "},
      {{"--min-lr 1e-5", "--min-lr 0"}, "--min-lr is 1e-05 on rank 0, 0 on rank 1; "},
      {{"--seed 1", "--seed 2"}, "--seed is 1 on rank 0, 2 on rank 1; "},
      {{"--dtype fp32", "--dtype bf16"}, "--dtype is fp32 on rank 0, bf16 on rank 1; "},
      {{"--weight-decay 0.1", "--weight-decay 0"}, "--weight-decay is 0.1 on rank 0, 0 on rank 1; "},
      {{"--grad-clip 1", "--grad-clip 2"}, "--grad-clip is 1 on rank 0, 2 on rank 1; "},
      {{"--warmup 1", "--warmup 2"}, "--warmup is 1 on rank 0, 2 on rank 1; "},
      {{"", "--steps 4"}, "--steps is 3 on rank 0, 4 on rank 1; "},
      {{"--batch 4 --total-batch 1024", "--batch 2 --total-batch 1024"},
       "--batch is 4 on rank 0, 2 on rank 1; "},
      {{"--seq 64 --total-batch 1024", "--seq 32 --total-batch 1024"},
       "--seq is 64 on rank 0, 32 on rank 1; "},
      {{"--total-batch 512", "--total-batch 1024"}, "--total-batch is 512 on rank 0, 1024 on rank 1; "},
      {{"--overfit", ""}, "--overfit is true on rank 0, not given on rank 1; "},
      {{"--matmul-precision medium", ""}, "--matmul-precision is medium on rank 0, highest on rank 1; "},
      {{"--data " + text, "--data " + other}, "--data is text, 50000 tokens, digest "},
      {{"--data " + text, "--data " + longer}, "on rank 0, text, 60000 tokens, digest "},
      {{"--data " + text, ""}, "on rank 0, text, 4000000 tokens, digest "},
      {{"--data " + text, "--data " + text + " --tokenizer char"}, "--tokenizer is "},
      {{"--model " GPT2_SOURCE_DIR "/data/tales-gpt2 --data " + text, "--seq 16 --data " + text},
       "--model is "},
      // Folders are compared by what is in them: weights of one shape, the tokenizer beside them or elsewhere.
      {{"--data " + text + " --model " + model("a"), "--data " + text + " --model " + model("b", "weights")},
       "--model is a folder with configuration and weights of digest "},
      {{"--data " + text + " --model " + model("a"),
        "--data " + text + " --model " + model("c", "tokenizer")},
       "--tokenizer is 257 ids, digest "},
      {{"--data " + text + " --model " + run("e"), "--data " + text + " --model " + run("f", "weights")},
       "--model is a folder with configuration and weights of digest "},
      {{"--data " + text + " --model " + run("e"), "--data " + text + " --model " + run("g", "tokenizer")},
       "--tokenizer is 257 ids, digest "},
      {{"--data " + text + " --tokenizer " + model("a"),
        "--data " + text + " --tokenizer " + model("c", "tokenizer")},
       "--tokenizer is 257 ids, digest "},
      {{"--seq 16 --total-batch 128 --data " + text + " --model " + model("a"),
        "--seq 16 --total-batch 128 --data " + text + " --model " + model("d")},
       ""},
      // No differences: a default that is given, another path to the same text, what rank 0 does alone.
      {{"", "--batch 4 --seq 64 --total-batch 3072 --seed 1337 --matmul-precision highest --tokenizer byte"},
       ""},
      {{"--data " + text + " --log " + (folder / "log"), "--data " + same}, ""},
  };
  for (const Difference& difference : differences) expect_difference("12_ddp", difference);
}

TEST(Ddp, OneOfThreeRanksIsNamed) {
  if (!have_mpirun()) GTEST_SKIP() << "mpirun is not there";
  const std::string program = GPT2_BIN_DIR "/12_ddp --device cpu ";
  const Ended ended = run_with_mpi({program, program, program + "--seed 7"});
  EXPECT_EQ(ended.status, 1);
  EXPECT_EQ(
      ended.count("12_ddp: ranks differ: --seed is 1337 on ranks 0-1, 7 on rank 2; start all ranks with the "
                  "same flags, data and build\n"),
      1)
      << ended.output;
}

TEST(Ddp, TwoProgramsAreNoRun) {
  if (!have_mpirun()) GTEST_SKIP() << "mpirun is not there";
  const std::string flags = " --device cpu --steps 3";
  const Ended ended = run_with_mpi({GPT2_BIN_DIR "/12_ddp" + flags, GPT2_BIN_DIR "/13_fineweb" + flags});
  EXPECT_EQ(ended.status, 1);
  EXPECT_EQ(ended.count("12_ddp: ranks differ: "), 1) << ended.output;
}

// The same program, built anew: its file differs in one byte that nobody reads.
TEST(Ddp, TwoBuildsAreNoRun) {
  if (!have_mpirun()) GTEST_SKIP() << "mpirun is not there";
  const TempDir folder;
  put_file(folder / "12_ddp", file_bytes(GPT2_BIN_DIR "/12_ddp") + "x");
  std::filesystem::permissions(folder / "12_ddp", std::filesystem::perms::owner_all);
  const std::string flags = " --device cpu --steps 3";
  const Ended ended = run_with_mpi({GPT2_BIN_DIR "/12_ddp" + flags, (folder / "12_ddp") + flags});
  EXPECT_EQ(ended.status, 1);
  EXPECT_EQ(ended.count("12_ddp: ranks differ: the build is "), 1) << ended.output;
}
