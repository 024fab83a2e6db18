#include <filesystem>
#include <functional>
#include <random>
#include <set>

#include "common/data/shards.h"
#include "common/tales/tales.h"
#include "common/training/checkpoint.h"
#include "paths.h"
#include "tests/common/dist/launch.h"
#include "tests/steps/program.h"

using namespace gpt2;
using namespace gpt2::testing;

namespace {

const std::string kProgram = "13_fineweb";
const std::string kSmall = " --batch 2 --seq 32 --total-batch 256 ";

std::string bytes_of_weights(const std::string& out) {
  const auto checkpoints = training::checkpoints_in(out);
  EXPECT_FALSE(checkpoints.empty());
  return file_bytes(checkpoints.back() + "/model.safetensors") +
         file_bytes(checkpoints.back() + "/optimizer.safetensors");
}

std::vector<std::string> names_of_checkpoints(const std::string& out) {
  std::vector<std::string> names;
  for (const std::string& path : training::checkpoints_in(out)) names.push_back(path.substr(out.size() + 1));
  return names;
}

std::vector<nlohmann::json> events_in(const std::string& path) {
  std::vector<nlohmann::json> events;
  std::ifstream lines(path);
  for (std::string line; std::getline(lines, line);) events.push_back(nlohmann::json::parse(line));
  return events;
}

// Runs it as so many ranks, and kills all of them after that time; 0: never.
Ended run_ranks(int ranks, const std::string& flags, const std::string& out, double kill_after = 0) {
  std::string command = GPT2_BIN_DIR "/13_fineweb --device cpu --resume --out " + out + " " + flags;
  if (kill_after > 0) {
    command += " & sleep " + std::to_string(kill_after) + "; pkill -KILL -f " + out + "; wait %1";
  }
  if (ranks == 1) return run_in_shell("export OMP_WAIT_POLICY=passive\n" + command);
  return run_in_shell(mpi_environment(ranks) + "export OMP_NUM_THREADS=1\nmpirun -n " +
                      std::to_string(ranks) + " " + command);
}

// Of the run in `killed` and the run in `whole`: the same checkpoints, weights, and a log with each step once.
void expect_same_run(const TempDir& killed, const TempDir& whole) {
  EXPECT_EQ(names_of_checkpoints(killed / "out"), names_of_checkpoints(whole / "out"));
  EXPECT_TRUE(bytes_of_weights(killed / "out") == bytes_of_weights(whole / "out"));
  std::vector<int64_t> steps;
  for (const auto& event : events_in(killed / "out/log.jsonl")) {
    if (event.at("event") == "step") steps.push_back(event.at("step"));
  }
  for (size_t i = 0; i < steps.size(); ++i) EXPECT_EQ(steps[i], int64_t(i));
  EXPECT_EQ(steps.size(), 120u);
}

// The claim of exact resume, with kills at moments that nobody chose. A run that ends before the last kill is
// compared and begins again.
void expect_kills_change_nothing(int ranks) {
  constexpr int kKills = 20;
  const std::string flags = kSmall + "--steps 120 --checkpoint-every 4 --keep 2";
  const TempDir whole, killed;
  const double start = run_ranks(ranks, kSmall + "--steps 1", whole / "start").seconds;
  const Ended never_killed = run_ranks(ranks, flags, whole / "out");
  ASSERT_EQ(never_killed.status, 0) << never_killed.output;

  std::mt19937 random(std::random_device{}());
  std::uniform_real_distribution<double> moment(start / 2, start + (never_killed.seconds - start) / 8);
  for (int kills = 0; kills < kKills;) {
    if (run_ranks(ranks, flags, killed / "out", moment(random)).status == 0) {
      expect_same_run(killed, whole);
      std::filesystem::remove_all(killed / "out");
      continue;
    }
    ++kills;
    for (const std::string& path :
         training::checkpoints_in(killed / "out")) {  // whatever is in view is whole
      EXPECT_TRUE(std::filesystem::exists(path + "/state.json")) << path;
    }
  }
  const Ended resumed = run_ranks(ranks, flags, killed / "out");
  EXPECT_EQ(resumed.status, 0) << resumed.output;
  expect_same_run(killed, whole);
}

}  // namespace

TEST(FineWeb, InTheVideosOrderItIsStep12) {
  EXPECT_EQ(run_program(kProgram, "--order video --steps 10").losses(),
            run_program("12_ddp", "--steps 10").losses());
}

TEST(FineWeb, KilledTwentyTimesItEndsWithTheSameWeights) { expect_kills_change_nothing(1); }

TEST(FineWeb, TwoRanksKilledTwentyTimesEndWithTheSameWeights) {
  if (!have_mpirun()) GTEST_SKIP() << "mpirun is not there";
  expect_kills_change_nothing(2);
}

TEST(FineWeb, EvaluationTouchesNothing) {
  const TempDir folder;
  put_file(folder / "val.txt", tales(40000, /*seed=*/7));
  ASSERT_EQ(std::system((GPT2_BIN_DIR "/tales --hellaswag 40 > " + (folder / "endings.jsonl")).c_str()), 0);
  const std::string steps = kSmall + "--steps 12 ";
  const Outcome plain = run_program(kProgram, steps);
  const Outcome measured =
      run_program(kProgram, steps + "--val-every 5 --val-data " + (folder / "val.txt") +
                                " --hellaswag-every 6 --hellaswag " + (folder / "endings.jsonl") +
                                " --sample-every 4 --out " + (folder / "out"));
  EXPECT_EQ(measured.status, 0) << measured.error;
  EXPECT_EQ(measured.losses(), plain.losses());
  const auto steps_of = [&](const std::string& name) {
    std::vector<int64_t> steps;
    for (const auto& event : measured.events(name)) steps.push_back(event.at("step"));
    return steps;
  };
  EXPECT_EQ(steps_of("val"), (std::vector<int64_t>{0, 5, 10, 12}));
  EXPECT_EQ(steps_of("hellaswag"), (std::vector<int64_t>{0, 6, 12}));
  EXPECT_EQ(steps_of("sample"), (std::vector<int64_t>{0, 4, 8, 12}));
  EXPECT_EQ(steps_of("checkpoint"), (std::vector<int64_t>{12}));
  EXPECT_LT(double(measured.events("val").back().at("loss")),
            double(measured.events("val").front().at("loss")));
  EXPECT_EQ(measured.events("hellaswag").front().at("items"), 40);

  std::ifstream text(folder / "out/log.txt");  // the video's
  std::string line;
  std::getline(text, line);
  EXPECT_TRUE(line.starts_with("0 val 5.")) << line;
  std::getline(text, line);
  EXPECT_TRUE(line.starts_with("0 hella 0.")) << line;
  std::getline(text, line);
  EXPECT_TRUE(line.starts_with("0 train 5.")) << line;
}

TEST(FineWeb, EvaluationDoesNotDependOnTheNumberOfRanks) {
  if (!have_mpirun()) GTEST_SKIP() << "mpirun is not there";
  const TempDir folder;
  ASSERT_EQ(std::system((GPT2_BIN_DIR "/tales --hellaswag 41 > " + (folder / "endings.jsonl")).c_str()), 0);
  const std::string flags = kSmall + "--dtype fp32 --steps 3 --val-every 3 --hellaswag-every 3 --hellaswag " +
                            (folder / "endings.jsonl");
  const auto results = [&](int ranks) {
    const std::string out = folder / std::to_string(ranks);
    const Ended ended = run_ranks(ranks, flags, out);
    EXPECT_EQ(ended.status, 0) << ended.output;
    std::vector<double> results;
    for (const auto& event : events_in(out + "/log.jsonl")) {
      if (event.at("event") == "val") results.push_back(event.at("loss"));
      if (event.at("event") == "hellaswag") results.push_back(event.at("acc_norm"));
    }
    EXPECT_EQ(results.size(), 4u);
    return results;
  };
  EXPECT_LE(largest_difference(results(2), results(1)), 1e-5);
}

TEST(FineWeb, RanksThatDifferEndBeforeTheFirstStep) {
  if (!have_mpirun()) GTEST_SKIP() << "mpirun is not there";
  const TempDir folder;
  put_file(folder / "text", std::string(20000, 'a'));
  put_file(folder / "val", std::string(5000, 'b'));
  put_file(folder / "longer", std::string(9000, 'b'));
  ASSERT_EQ(std::system((GPT2_BIN_DIR "/tales --hellaswag 8 > " + (folder / "a.jsonl")).c_str()), 0);
  ASSERT_EQ(std::system((GPT2_BIN_DIR "/tales --hellaswag 9 > " + (folder / "b.jsonl")).c_str()), 0);
  for (const char* shard : {"a.bin", "b.bin"}) {
    std::vector<uint16_t> ids(5000, 7);
    ids[1] = uint16_t(shard[0]);
    write_shard(folder / shard, ids);
  }
  const auto val = [&](const char* name) { return "--val-every 5 --val-data " + (folder / name); };
  const auto scores = [&](const char* name) { return "--hellaswag-every 5 --hellaswag " + (folder / name); };
  const std::string out = "--out " + (folder / "out"), data = "--data " + (folder / "text");
  const std::vector<Difference> differences = {
      {{"--val-every 5", ""}, "--val-every is 5 on rank 0, 0 on rank 1; "},
      {{"", "--val-every 5"}, "--val-every is 0 on rank 0, 5 on rank 1; "},
      {{"--val-every 5", "--val-every 1"}, "--val-every is 5 on rank 0, 1 on rank 1; "},
      {{val("val"), val("longer")}, "on rank 0, text, 9000 tokens, digest "},
      {{"--val-every 5", val("val")}, "--data is text, 3600000 tokens, digest "},
      {{scores("a.jsonl"), scores("b.jsonl")}, "--hellaswag is a file of digest "},
      {{scores("a.jsonl"), ""}, "--hellaswag-every is 5 on rank 0, 0 on rank 1; "},
      {{"--sample-every 1", ""}, "--sample-every is 1 on rank 0, 0 on rank 1; "},
      {{"--order video", ""}, "--order is video on rank 0, shuffled on rank 1; "},
      {{"--dropout 0.1", ""}, "--dropout is 0.1 on rank 0, 0 on rank 1; "},
      {{"--beta2 0.99", ""}, "--beta2 is 0.99 on rank 0, 0.95 on rank 1; "},
      {{"--max-lr 1e-3", "--max-lr 1e-4"}, "--max-lr is 0.001 on rank 0, 0.0001 on rank 1; "},
      {{data, ""}, "--data is text, 20000 tokens, "},
      {{"--data " + (folder / "a.bin"), "--data " + (folder / "b.bin")}, "--data is a.bin, 5000 tokens, "},
      {{"--data " + (folder / "a.bin"), "--data '" + (folder / "*.bin'")},
       "--data (file 2) is missing on rank 0, b.bin"},
      {{out, ""}, "--out is " + (folder / "out") + " on rank 0, not given on rank 1; "},
      {{"", out}, "--out is not given on rank 0, "},
      {{out, out + "_2"}, "--out is " + (folder / "out") + " on rank 0, "},
      {{out + " --resume", out}, "--resume is on on rank 0, off on rank 1; "},
      {{out + " --checkpoint-every 1", out}, "--checkpoint-every is 1 on rank 0, 0 on rank 1; "},
      {{data + " --val-every 3 --log " + (folder / "log"), data + " --val-every 3"}, ""},
  };
  for (const Difference& difference : differences) {
    expect_difference(kProgram,
                      {{kSmall + difference.flags[0], kSmall + difference.flags[1]}, difference.expected});
    EXPECT_EQ(training::checkpoints_in(folder / "out").size(), 0u);
  }
}

TEST(FineWeb, ASignalStopsItAfterTheStepWithACheckpoint) {
  const TempDir folder;
  const std::string out = folder / "out";
  const Ended stopped = run_in_shell(GPT2_BIN_DIR "/13_fineweb --device cpu --steps 20000 --out " + out +
                                     kSmall + "&\nuntil grep -q train " + out +
                                     "/log.txt; do sleep 0.1; done 2> /dev/null\nkill -TERM %1; wait %1");
  EXPECT_EQ(stopped.status, 143) << stopped.output;
  const auto checkpoints = training::checkpoints_in(out);
  ASSERT_EQ(checkpoints.size(), 1u);
  const int64_t steps = *training::step_of(checkpoints[0]);
  EXPECT_GT(steps, 0);
  EXPECT_EQ(stopped.count(" | loss: "), int(steps)) << stopped.output;
}

TEST(FineWeb, KeepsTheNewestCheckpointsAndEveryMth) {
  const TempDir folder;
  const std::string out = folder / "out";
  run_program(kProgram, kSmall + "--steps 7 --checkpoint-every 1 --keep 2 --keep-every 3 --out " + out);
  EXPECT_EQ(names_of_checkpoints(out),
            (std::vector<std::string>{"step_000003", "step_000006", "step_000007"}));
}

TEST(FineWeb, AFullDiskLeavesTheLastCheckpoint) {
  const TempDir folder;
  const std::string out = folder / "out", flags = kSmall + "--checkpoint-every 3 --steps 9";
  ASSERT_NE(
      run_ranks(1, flags + " & while [ ! -e " + out + "/step_000003 ]; do sleep 0.01; done; kill %1; wait %1",
                out)
          .status,
      0);
  const auto before = names_of_checkpoints(out);
  const std::string weights = bytes_of_weights(out);
  const Ended full = run_in_shell("ulimit -f 5000\n" GPT2_BIN_DIR "/13_fineweb --device cpu --resume --out " +
                                  out + " " + flags);
  EXPECT_EQ(full.status, 1);
  EXPECT_EQ(full.count("13_fineweb: " + out), 1) << full.output;
  EXPECT_EQ(names_of_checkpoints(out), before);
  EXPECT_TRUE(bytes_of_weights(out) == weights);
  EXPECT_EQ(run_ranks(1, flags, out).status, 0);
  EXPECT_EQ(names_of_checkpoints(out).back(), "step_000009");
}

TEST(FineWeb, ACheckpointNeedsNoOtherFlag) {
  const TempDir folder;
  const std::string out = folder / "out";
  put_file(folder / "text.txt", tales(100000));
  const Outcome trained = run_program(
      kProgram, kSmall + "--tokenizer char --steps 2 --data " + (folder / "text.txt") + " --out " + out);
  EXPECT_EQ(trained.status, 0) << trained.error;
  const std::string model = " --model " + out + "/step_000002";
  const Outcome sampled = run_program("03_sampling", "--prompt Once --num-sequences 1" + model);
  EXPECT_EQ(sampled.status, 0) << sampled.error;
  EXPECT_NE(sampled.output.find("> Once"), std::string::npos) << sampled.output;
  const Outcome finetuned =
      run_program(kProgram, kSmall + "--steps 1 --data " + (folder / "text.txt") + model);
  EXPECT_EQ(finetuned.status, 0) << finetuned.error;
  EXPECT_LT(finetuned.losses().at(0), trained.losses().at(0));
}

// The model has 257 rows, the tokenizer 28 ids: samples and checkpoint are of those.
TEST(FineWeb, AModelWithMoreRowsThanItsTokenizerHasIds) {
  const TempDir folder;
  const std::string out = folder / "out";
  put_file(folder / "text.txt", tales(20000));
  const Outcome trained =
      run_program(kProgram,
                  " --model data/tales-gpt2 --tokenizer char --batch 1 --seq 16 --total-batch 16"
                  " --steps 1 --sample-every 1 --data " +
                      (folder / "text.txt") + " --out " + out);
  EXPECT_EQ(trained.status, 0) << trained.error;
  ASSERT_EQ(trained.events("sample").size(), 2u);
  const Outcome sampled =
      run_program("03_sampling", "--prompt Once --max-tokens 60 --top-k 300 --model " + out + "/step_000001");
  EXPECT_EQ(sampled.status, 0) << sampled.error;
  EXPECT_EQ(sampled.events("sample").size(), 5u);
}

// The cut between training and validation would fall inside the separator.
TEST(FineWeb, ATextIsNotCutInsideEndOfText) {
  const TempDir folder;
  const std::string separator = "<|endoftext|>", tail(200 - separator.size() + 6, 'b');
  put_file(folder / "text.txt", std::string(1794, 'a') + separator + tail);
  const std::string flags = kSmall + "--steps 1 --val-every 1 --seq 16 --data " + (folder / "text.txt");
  const Outcome outcome = run_program(kProgram, flags);
  EXPECT_EQ(outcome.status, 0) << outcome.error;
  EXPECT_NE(outcome.output.find("loaded 1794 tokens"), std::string::npos) << outcome.output;
  EXPECT_NE(run_program(kProgram, kSmall + "--steps 1 --data " + (folder / "text.txt"))
                .output.find("loaded 1988 tokens"),
            std::string::npos);
}

TEST(FineWeb, ReadsTokenShards) {
  const TempDir folder;
  std::vector<uint16_t> ids(5000);
  for (size_t i = 0; i < ids.size(); ++i) ids[i] = uint16_t(i * i % 250);
  for (const char* name : {"train_0.bin", "train_1.bin"}) write_shard(folder / name, ids);
  write_shard(folder / "val_0.bin", std::vector<uint16_t>(5000, 'v'));
  const std::string train = " --data '" + (folder / "train_*.bin") + "'";
  const Outcome outcome =
      run_program(kProgram, kSmall + "--steps 3 --val-every 3 --val-data " + (folder / "val_0.bin") + train);
  EXPECT_EQ(outcome.status, 0) << outcome.error;
  EXPECT_NE(outcome.output.find("loaded 10000 tokens"), std::string::npos) << outcome.output;
  expect_error(kProgram, kSmall + "--val-every 3" + train, "give a shard for validation");
  ids[77] = 300;
  write_shard(folder / "train_1.bin", ids);
  expect_error(kProgram, kSmall + train,
               "train_1.bin: token 300 at offset 77 is outside the vocabulary (257)");
}

TEST(FineWeb, DropoutIsForTrainingAndDrawnAnewEachStep) {
  const Outcome plain = run_program(kProgram, kSmall + "--overfit --steps 3 --val-every 1");
  const Outcome thinned = run_program(kProgram, kSmall + "--overfit --steps 3 --val-every 1 --dropout 0.5");
  EXPECT_NE(plain.losses().at(0), thinned.losses().at(0));
  EXPECT_EQ(plain.events("val")[0].at("loss"), thinned.events("val")[0].at("loss"));
}

TEST(FineWeb, APresetIsManyFlagsAndAFlagCountsForMore) {
  const TempDir folder;
  put_file(folder / "text.txt", tales(100000));
  const Outcome outcome = run_program(kProgram,
                                      "--preset shakespeare-char-cpu --steps 2 --warmup 1 --val-every 0"
                                      " --data " +
                                          (folder / "text.txt") + " --out " + (folder / "out"));
  EXPECT_EQ(outcome.status, 0) << outcome.error;
  EXPECT_EQ(outcome.events("step").size(), 2u);
  EXPECT_EQ(outcome.events("step")[0].at("lr"), 1e-3);
  EXPECT_EQ(outcome.events("config")[0].at("batch"), 12);
  expect_error(kProgram, "--preset gpt5", "--preset: gpt5 is not one of");
}

namespace {

// Runs it from the root, in a shell, with these variables before and these flags after.
Ended run_13(const std::string& flags, const std::string& variables = "") {
  return run_in_shell("cd " GPT2_SOURCE_DIR "\n" + variables +
                      " OMP_WAIT_POLICY=passive " GPT2_BIN_DIR "/13_fineweb --device cpu " + flags);
}

void expect_nothing_left(const Ended& ended) {
  EXPECT_EQ(ended.status, 0) << ended.output;
  EXPECT_EQ(ended.count("nothing left to do"), 1) << ended.output;
}

// One line, which contains this.
void expect_refused(const Ended& ended, const std::string& message) {
  EXPECT_EQ(ended.status, 1) << ended.output;
  EXPECT_EQ(ended.count("13_fineweb: "), 1) << ended.output;
  EXPECT_EQ(ended.count(message), 1) << ended.output << "expected: " << message;
}

void flip_a_bit(const std::string& path, size_t at) {
  std::string bytes = file_bytes(path);
  bytes.at(at) ^= 1;
  put_file(path, bytes);
}

// A run of two steps on a text that it leaves behind.
struct FinishedRun {
  TempDir folder;
  std::string out = folder / "out", flags = "--batch 2 --seq 32 --total-batch 256 --steps 2 --out " + out;
  std::string data = " --data " + (folder / "text.txt");

  FinishedRun() {
    put_file(folder / "text.txt", tales(100000));
    const Ended ended = run_13(flags + data, "OMP_NUM_THREADS=2");
    EXPECT_EQ(ended.status, 0) << ended.output;
  }
  Ended resume(const std::string& more, const std::string& threads = "2") const {
    return run_13(flags + data + " --resume " + more, "OMP_NUM_THREADS=" + threads);
  }
};

}  // namespace

TEST(FineWeb, ResumeAcceptsWhatIsTheSame) {
  const FinishedRun run;
  const std::string foreign = run.folder / "na\xefve";  // not UTF-8
  std::filesystem::create_directory(foreign);
  std::filesystem::copy_file(run.folder / "text.txt", foreign + "/text.txt");
  for (const std::string& same :
       {std::string("--min-lr 6e-5 --tokenizer byte --max-lr 0.0006 --seed 1337 --attention own "
                    "--deterministic"),
        "--out $(realpath --relative-to=. " + run.out + ")",
        "--data $(realpath --relative-to=. " + run.folder.path() + "/text.txt)",
        "--data '" + foreign + "/text.txt'", "--model $(ls -d " + run.out + "/step_*)",
        std::string("--matmul-precision highest --keep 1 --sample-every 7")}) {
    SCOPED_TRACE(same);
    expect_nothing_left(run.resume(same));
  }
  const std::string out = foreign + "/out",
                    flags = "--batch 2 --seq 32 --total-batch 256 --steps 2 --out '" + out + "'";
  EXPECT_EQ(run_13(flags).status, 0);
  expect_nothing_left(run_13(flags + " --resume"));
}

TEST(FineWeb, ResumeRefusesWhatDiffersUnlessToldOtherwise) {
  const FinishedRun run;
  put_file(run.folder / "other.txt", tales(100000, /*seed=*/7));
  const std::string used = "--resume: the run in " + run.out + " used ",
                    checkpoint = " (checkpoint step_000002); got ";
  struct Case {
    std::string flags, before, now;
    std::string threads = "2";
  };
  for (const Case& each :
       std::vector<Case>{{"--batch 4", "--batch 2", "--batch 4"},
                         {"--max-lr 1e-3 --min-lr 6e-5", "--max-lr 0.0006", "--max-lr 0.001"},
                         {"--overfit", "no --overfit", "--overfit"},
                         {"--dtype fp32", "--dtype bf16", "--dtype fp32"},
                         {"", "2 threads (OMP_NUM_THREADS)", "1 thread (OMP_NUM_THREADS)", "1"}}) {
    SCOPED_TRACE(each.flags);
    expect_refused(run.resume(each.flags, each.threads),
                   used + each.before + checkpoint + each.now +
                       "; give the same, or accept the difference with --resume-anyway");
    const Ended accepted = run.resume(each.flags + " --resume-anyway", each.threads);
    expect_nothing_left(accepted);
    EXPECT_EQ(accepted.count("--resume-anyway: the run used " + each.before), 1) << accepted.output;
  }
  expect_refused(run.resume("--data " + (run.folder / "other.txt")), used + "--data text, ");
  expect_refused(run.resume("--model baby"), used + "--model 4 layers, 4 heads, 128 channels");
  expect_refused(run.resume("--steps 1"),
                 "--steps 1: checkpoint step_000002 in " + run.out + " is beyond it");
  expect_refused(run.resume("--steps 1 --resume-anyway"), "give --steps 2 or more");
}

TEST(FineWeb, ARunIsMadeLongerAndLogsWhatDiffers) {
  const FinishedRun run;
  const Ended longer = run.resume("--steps 4 --resume-anyway", "1");
  EXPECT_EQ(longer.status, 0) << longer.output;
  EXPECT_EQ(longer.count(
                "--steps 4 instead of 2: from step 2 on the learning rate follows the schedule of 4 steps"),
            1)
      << longer.output;
  EXPECT_EQ(longer.count("the same to rounding"), 1) << longer.output;
  const auto events = events_in(run.out + "/log.jsonl");
  std::vector<int64_t> steps;
  nlohmann::json resumed;
  for (const auto& event : events) {
    if (event.at("event") == "step") steps.push_back(event.at("step"));
    if (event.at("event") == "config" && event.contains("resumed")) resumed = event["resumed"];
  }
  EXPECT_EQ(steps, (std::vector<int64_t>{0, 1, 2, 3}));
  EXPECT_EQ(resumed.at("step"), 2);
  EXPECT_EQ(resumed.at("differs").at("threads"), nlohmann::json({2, 1}));
}

TEST(FineWeb, NoProgramLoadsADamagedCheckpoint) {
  const FinishedRun run;
  const std::string checkpoint = run.out + "/step_000002";
  flip_a_bit(checkpoint + "/model.safetensors", 100'000);
  for (const std::string program : {"02_hf_weights", "03_sampling", "04_overfit", "13_fineweb"}) {
    for (const std::string& model : {checkpoint, run.out}) {
      expect_error(program, "--steps 1 --model " + model,
                   checkpoint + "/model.safetensors: not the file that this checkpoint was written with");
    }
  }
}

TEST(FineWeb, ADamagedCheckpointNamesTheOneToGoOnFrom) {
  const TempDir folder;
  const std::string out = folder / "out",
                    flags = kSmall + "--steps 6 --checkpoint-every 2 --keep 5 --out " + out + " ";
  ASSERT_EQ(run_13(flags).status, 0);
  const std::string last = bytes_of_weights(out);
  flip_a_bit(out + "/step_000006/model.safetensors", 100'000);
  flip_a_bit(out + "/step_000004/state.json", 20);
  const std::string advice = "; --resume-from step_000002 resumes from the newest older undamaged checkpoint";
  expect_refused(run_13(flags + "--resume"),
                 out +
                     "/step_000006/model.safetensors: not the file that this checkpoint was "
                     "written with: damaged, or replaced" +
                     advice);
  expect_refused(run_13(flags + "--resume-anyway"), advice);
  expect_refused(run_13(flags + "--resume-from step_000004"), out + "/step_000004/state.json: ");
  expect_refused(
      run_13(flags + "--resume-from step_000003"),
      "--resume-from step_000003: no such checkpoint in " + out + "; the newest there is step_000006");
  const Ended resumed = run_13(flags + "--resume-from step_000002");
  EXPECT_EQ(resumed.status, 0) << resumed.output;
  EXPECT_EQ(names_of_checkpoints(out),
            (std::vector<std::string>{"step_000002", "step_000004", "step_000006"}));
  EXPECT_TRUE(std::filesystem::exists(out + "/step_000006.unused"));
  EXPECT_TRUE(bytes_of_weights(out) == last);
}

TEST(FineWeb, ACheckpointWithoutDigestsNeedsAWord) {
  const FinishedRun run;
  const std::string path = run.out + "/step_000002/state.json";
  nlohmann::json state = nlohmann::json::parse(file_bytes(path));
  state.erase("digest"), state.erase("files");
  put_file(path, state.dump());
  expect_refused(run.resume(""), "--resume-anyway goes on without comparing files, settings and data");
  expect_nothing_left(run.resume("--resume-anyway"));
}

TEST(FineWeb, OtherShardsAreRefusedAndTheSameElsewhereAreNot) {
  namespace fs = std::filesystem;
  const TempDir folder;
  const auto write = [&](const std::string& name, int factor) {
    std::vector<uint16_t> ids(300'000);
    for (size_t i = 0; i < ids.size(); ++i) ids[i] = uint16_t(i * i * size_t(factor) % 250);
    write_shard(folder / name, ids);
  };
  const auto write_all = [&] {
    fs::create_directory(folder / "data");
    write("data/train_0.bin", 1);
    write("data/train_1.bin", 3);
  };
  write_all();
  const std::string flags = kSmall + "--steps 1 --out " + (folder / "out") + " --resume --data ";
  const std::string data = "'" + (folder / "data/train_*.bin") + "'";
  ASSERT_EQ(run_13(flags + data).status, 0);
  fs::rename(folder / "data", folder / "moved");
  expect_nothing_left(run_13(flags + "'" + (folder / "moved/train_*.bin") + "'"));
  fs::rename(folder / "moved", folder / "data");

  const std::vector<std::pair<std::string, std::function<void()>>> changes = {
      {"--data train_1.bin", [&] { write("data/train_1.bin", 7); }},  // another of equal length
      {"--data train_0.bin",
       [&] { flip_a_bit(folder / "data/train_0.bin", 301'025); }},  // between the samples
      {"--data of 2 files", [&] { write("data/train_2.bin", 1); }},
      {"--data train_0.bin", [&] { fs::rename(folder / "data/train_0.bin", folder / "data/train_2.bin"); }},
      {"--data train_0.bin", [&] {
         fs::rename(folder / "data/train_0.bin", folder / "data/swap");
         fs::rename(folder / "data/train_1.bin", folder / "data/train_0.bin");
         fs::rename(folder / "data/swap", folder / "data/train_1.bin");
       }}};
  for (const auto& [message, change] : changes) {
    change();
    expect_refused(run_13(flags + data), " used " + message);
    fs::remove_all(folder / "data");
    write_all();
    expect_nothing_left(run_13(flags + data));
  }
}

TEST(FineWeb, EverySignalThatEndsARunLeavesACheckpoint) {
  struct Case {
    std::string signal;
    int status;
    std::string before = "", after = "";
  };
  for (const Case& each :
       std::vector<Case>{{"INT", 130},
                         {"HUP", 129},
                         {"XCPU", 152},
                         {"PIPE", 141},
                         {"TERM", 143, "trap '' HUP\n", "kill -HUP %1; sleep 0.5\n"}}) {  // nohup
    const TempDir folder;
    const std::string out = folder / "out";
    const Ended stopped = run_in_shell(
        each.before + GPT2_BIN_DIR "/13_fineweb --device cpu --steps 20000 --out " + out + kSmall +
        "&\nuntil grep -q train " + out + "/log.txt; do sleep 0.1; done 2> /dev/null\n" + each.after +
        "kill -" + each.signal + " %1; wait %1");
    EXPECT_EQ(stopped.status, each.status) << each.signal << stopped.output;
    EXPECT_EQ(training::checkpoints_in(out).size(), 1u) << each.signal << stopped.output;
  }
}

TEST(FineWeb, ASecondSignalEndsTheRunAtOnce) {
  const TempDir folder;
  const std::string out = folder / "out";  // a step of minutes
  const Ended stopped =
      run_in_shell(GPT2_BIN_DIR "/13_fineweb --device cpu --batch 16 --seq 256 --total-batch 4096000 --out " +
                   out + "&\nuntil grep -q config " + out +
                   "/log.jsonl; do sleep 0.1; done 2> /dev/null\nsleep 1; kill -INT %1; sleep 0.5\n"
                   "kill -INT %1; sleep 3; kill -0 %1 || exit 99; kill -INT %1; wait %1");
  EXPECT_EQ(stopped.status, 130) << stopped.output;  // 99: the second one, too early to be another, ended it
  EXPECT_TRUE(training::checkpoints_in(out).empty());
}

TEST(FineWeb, AReaderThatGoesAwayEndsTheRunWithACheckpoint) {
  const TempDir folder;
  const std::string out = folder / "out";
  const Ended stopped = run_in_shell(GPT2_BIN_DIR "/13_fineweb --device cpu --steps 20000 --out " + out +
                                     kSmall + "| grep -m 1 'step    2'\nexit ${PIPESTATUS[0]}");
  EXPECT_EQ(stopped.status, 141) << stopped.output;
  EXPECT_EQ(training::checkpoints_in(out).size(), 1u) << stopped.output;
}

// Runs it until its log has this line, then sends the signal; KILL ends it before its next checkpoint.
Ended run_and_stop(const std::string& flags, const std::string& out, const std::string& line,
                   const std::string& signal, const std::string& before = "") {
  return run_in_shell("cd " GPT2_SOURCE_DIR "\n" + before +
                      "\nexport OMP_WAIT_POLICY=passive\n" GPT2_BIN_DIR
                      "/13_fineweb --device cpu --steps 20000 --out " +
                      out + kSmall + flags + " &\nuntil grep -qs '" + line + "' " + out +
                      "/log.txt || ! kill -0 $!; do sleep 0.05; done\nkill -" + signal + " $!; wait $!");
}

// Nothing of a log is lost, whatever is done to the folder between two runs.
TEST(FineWeb, ResumeTakesNoOtherFolderAndNoOtherLogForItsOwn) {
  namespace fs = std::filesystem;
  struct Case {
    std::string name;
    std::function<void(const std::string& out)> change;
    std::string flags, message;
  };
  const auto rename_all = [](const std::string& out) {
    for (const std::string& path : training::checkpoints_in(out)) fs::rename(path, path + ".unused");
  };
  const auto remove_all = [](const std::string& out) {
    for (const std::string& path : training::checkpoints_in(out)) fs::remove_all(path);
  };
  for (const Case& each : std::vector<Case>{
           {"log.jsonl is gone", [](const std::string& out) { fs::remove(out + "/log.jsonl"); }, "",
            "log.jsonl is not the log of this run up to step_000002: it is missing"},
           {"log.jsonl is cut", [](const std::string& out) { fs::resize_file(out + "/log.jsonl", 100); }, "",
            "it was cut"},
           {"odd JSON", [](const std::string& out) { put_file(out + "/log.jsonl", "7\n{\"event\": 1}\n"); },
            "", "it was cut"},
           {"a thesis", [](const std::string& out) { put_file(out + "/../thesis.txt", "Chapter 1\n"); },
            " --log $OUT/../thesis.txt", "thesis.txt: the file exists and is not a log"},
           {"a thesis in the folder",
            [](const std::string& out) { put_file(out + "/log.txt", "Chapter 1\n"); }, "",
            "log.txt is not the log of this run"},
           {"all renamed", rename_all, "", " has no checkpoint, but step_00000"},
           {"all removed", remove_all, "", " has no checkpoint, but its log says that step 2 was saved"}}) {
    SCOPED_TRACE(each.name);
    const FinishedRun run;
    each.change(run.out);
    const auto read_all = [&] {
      std::string all;
      for (const std::string& name : run.folder.names()) all += name + "\n";
      for (const char* name : {"log.jsonl", "log.txt", "../thesis.txt"}) {
        if (fs::exists(run.out + "/" + name)) all += file_bytes(run.out + "/" + name);
      }
      return all;
    };
    const std::string before = read_all();
    expect_refused(run_13(run.flags + run.data + " --resume --steps 3 " + each.flags,
                          "OUT=" + run.out + "; OMP_NUM_THREADS=2"),
                   each.message);
    EXPECT_EQ(read_all(), before);
  }
  const TempDir foreign;
  put_file(foreign / "log.txt", "Captain's log\n");
  expect_refused(run_13(kSmall + "--steps 1 --resume --out " + foreign.path()), "is not the folder of a run");
  EXPECT_EQ(file_bytes(foreign / "log.txt"), "Captain's log\n");
}

TEST(FineWeb, ARunKilledBeforeItsFirstCheckpointBeginsAgain) {
  const TempDir folder;
  const std::string out = folder / "out";
  const Ended killed = run_and_stop("", out, "1 train", "KILL");
  EXPECT_NE(killed.status, 0) << killed.output;
  const std::string log = file_bytes(out + "/log.jsonl");
  const Ended again = run_13(kSmall + "--steps 2 --resume --out " + out);
  EXPECT_EQ(again.status, 0) << again.output;
  EXPECT_EQ(again.count("starting at step 0"), 1) << again.output;
  EXPECT_EQ(file_bytes(out + "/log.jsonl.unused"), log);
  EXPECT_EQ(names_of_checkpoints(out), (std::vector<std::string>{"step_000002"}));
}

TEST(FineWeb, ALogThatIsALinkIsContinued) {
  namespace fs = std::filesystem;
  const TempDir folder;
  const std::string out = folder / "out", log = " --log " + (folder / "link");
  fs::create_symlink("log", folder / "link");
  ASSERT_EQ(run_13(kSmall + "--steps 1 --out " + out + log).status, 0);
  const Ended resumed = run_13(kSmall + "--steps 2 --resume --out " + out + log);
  EXPECT_EQ(resumed.status, 0) << resumed.output;
  EXPECT_TRUE(fs::is_symlink(folder / "link"));
  EXPECT_EQ(events_in(folder / "log").back().at("event"), "done");
}

TEST(FineWeb, OtherWeightsOrOtherDataToMeasureOnAreRefused) {
  namespace fs = std::filesystem;
  const TempDir folder;
  const auto write = [&](const std::string& name, int factor) {
    std::vector<uint16_t> ids(300'000);
    for (size_t i = 0; i < ids.size(); ++i) ids[i] = uint16_t(i * i * size_t(factor) % 250);
    write_shard(folder / name, ids);
  };
  write("val.bin", 1);
  put_file(folder / "val.txt", tales(30000, 7));
  const auto score = [&](int n) {
    ASSERT_EQ(
        std::system(
            (GPT2_BIN_DIR "/tales --hellaswag " + std::to_string(n) + " > " + (folder / "h.jsonl")).c_str()),
        0);
  };
  score(4);
  fs::copy(GPT2_SOURCE_DIR "/data/tales-gpt2", folder / "base", fs::copy_options::recursive);
  struct Case {
    std::string flags;
    std::function<void()> change, undo;
    std::string message;
  };
  for (const Case& each : std::vector<Case>{
           {" --val-every 1 --val-data " + (folder / "val.bin"),
            [&] { flip_a_bit(folder / "val.bin", 301'025); },
            [&] { flip_a_bit(folder / "val.bin", 301'025); }, " used --val-data val.bin as it was"},
           {" --val-every 1 --val-data " + (folder / "val.bin"), [&] { write("val.bin", 3); },
            [&] { write("val.bin", 1); }, " used --val-data val.bin, 300000 tokens, digest "},
           {" --val-every 1 --val-data " + (folder / "val.txt"),
            [&] { put_file(folder / "val.txt", tales(30000, 8)); },
            [&] { put_file(folder / "val.txt", tales(30000, 7)); },
            " used --val-data text, 30000 tokens, digest "},
           {" --hellaswag-every 1 --hellaswag " + (folder / "h.jsonl"), [&] { score(5); }, [&] { score(4); },
            " used --hellaswag a file of digest "},
           {" --model " + (folder / "base"), [&] { flip_a_bit(folder / "base/model.safetensors", 100'000); },
            [&] { flip_a_bit(folder / "base/model.safetensors", 100'000); },
            " used --model with weights of digest "}}) {
    SCOPED_TRACE(each.message);
    const std::string out = folder / "out", flags = kSmall + "--steps 1 --out " + out + each.flags;
    fs::remove_all(out);
    const Ended first = run_13(flags);
    ASSERT_EQ(first.status, 0) << first.output;
    each.change();
    expect_refused(run_13(flags + " --resume"), each.message);
    expect_nothing_left(run_13(flags + " --resume-anyway"));
    each.undo();
    expect_nothing_left(run_13(flags + " --resume"));
  }
}

TEST(FineWeb, ValidationThatTakesAPartOfTheTextIsNamed) {
  const FinishedRun run;
  expect_refused(run.resume("--val-every 1"), " used --val-every 0, --data text, ");
  expect_nothing_left(run.resume("--val-every 1 --val-data docs/13_fineweb.md"));
}

// The state of a run is worth more than a line: it ends with a checkpoint that knows the lines.
TEST(FineWeb, AFullDiskUnderTheOutputLeavesACheckpoint) {
  namespace fs = std::filesystem;
  for (const std::string sink : {"stdout", "log"}) {
    SCOPED_TRACE(sink);
    const TempDir folder;
    const std::string out = folder / "out", screen = folder / "screen",
                      flags = kSmall + "--steps 500 --out " + out;
    put_file(screen, "");
    fs::resize_file(screen, 50'000 * 1024 - 2000);  // nearly as large as a file may become
    const std::string command = GPT2_BIN_DIR "/13_fineweb --device cpu " + flags;
    const Ended full =
        run_in_shell(sink == "stdout" ? "ulimit -f 50000\n" + command + " >> " + screen
                                      : command + " --log >(head -n 4 > " + (folder / "lines") + ")");
    EXPECT_EQ(full.status, 1) << full.output;
    const auto checkpoints = training::checkpoints_in(out);
    ASSERT_EQ(checkpoints.size(), 1u) << full.output;
    const std::string step = std::to_string(*training::step_of(checkpoints[0]));
    EXPECT_EQ(full.count(sink == "stdout"
                             ? "13_fineweb: standard output: File too large; step " + step + " is saved"
                             : ": Broken pipe; step " + step + " is saved"),
              1)
        << full.output;
    if (sink == "log") continue;
    const Ended resumed = run_13(kSmall + "--resume --out " + out + " --steps " +
                                 std::to_string(*training::step_of(checkpoints[0]) + 2) + " --resume-anyway");
    EXPECT_EQ(resumed.status, 0) << resumed.output;
    std::vector<int64_t> steps;
    for (const auto& event : events_in(out + "/log.jsonl")) {
      if (event.at("event") == "step") steps.push_back(event.at("step"));
    }
    for (size_t i = 0; i < steps.size(); ++i) EXPECT_EQ(steps[i], int64_t(i));
    EXPECT_EQ(int64_t(steps.size()), *training::step_of(checkpoints[0]) + 2);
  }
}

TEST(FineWeb, ALogThatIsLostDuringTheRunIsWrittenAgain) {
  const TempDir folder;
  const std::string out = folder / "out";
  const Ended ended =
      run_in_shell(GPT2_BIN_DIR "/13_fineweb --device cpu --steps 20000 --out " + out + kSmall +
                   "&\nuntil grep -qs '3 train' " + out + "/log.txt; do sleep 0.05; done\nrm " + out +
                   "/log.jsonl; echo mine > " + out + "/log.jsonl\nsleep 0.2; kill -TERM %1; wait %1");
  EXPECT_EQ(ended.status, 143) << ended.output;
  EXPECT_EQ(ended.count("/log.jsonl: replaced during the run; written again"), 1) << ended.output;
  EXPECT_EQ(file_bytes(out + "/log.jsonl.unused"), "mine\n");
  EXPECT_EQ(events_in(out + "/log.jsonl").at(1).at("step"), 0);
}

TEST(FineWeb, ASignalThatIsIgnoredAtTheStartStaysIgnored) {
  for (const std::string signal : {"TERM", "HUP", "XCPU"}) {
    const TempDir folder;
    const std::string out = folder / "out";
    const Ended ended = run_in_shell(
        "trap '' " + signal + "\n" GPT2_BIN_DIR "/13_fineweb --device cpu --steps 20000 --out " + out +
        kSmall + "&\nuntil grep -qs train " + out + "/log.txt; do sleep 0.05; done\nkill -" + signal +
        " %1; sleep 0.5; kill -0 %1 || exit 99; kill -INT %1; wait %1");
    EXPECT_EQ(ended.status, 130) << signal << ended.output;
  }
}

TEST(FineWeb, BadInputIsOneLine) {
  const TempDir folder;
  const std::string out = " --out " + (folder / "out");
  expect_error(kProgram, "--resume", "--resume: give the run's folder with --out");
  expect_error(kProgram, "--checkpoint-every 5", "--checkpoint-every: give the run's folder with --out");
  expect_error(kProgram, "--keep 7", "--keep: give the run's folder with --out");
  expect_error(kProgram, "--min-lr 1e-3", "--min-lr 0.001: above --max-lr 0.0006");
  put_file(folder / "text.txt", tales(20000));
  put_file(folder / "copy.txt", tales(20000));
  expect_error(kProgram,
               "--val-every 5 --data " + (folder / "text.txt") + " --val-data " + (folder / "copy.txt"),
               "copy.txt: the text is in --data as well");
  for (const char* shard : {"train_0.bin", "val_0.bin"})
    write_shard(folder / shard, std::vector<uint16_t>(5000, shard[0]));
  expect_error(kProgram,
               "--val-every 5 --data '" + (folder / "*_0.bin") + "' --val-data " + (folder / "val_0.bin"),
               "val_0.bin: val_0.bin is in --data as well");
  expect_error(kProgram, "--data " + (folder / "none.txt") + out, "none.txt: cannot open");
  EXPECT_FALSE(std::filesystem::exists(folder / "out")) << "an empty folder is left";
  expect_error(kProgram, "--hellaswag-every 5", "--hellaswag-every: give the file with --hellaswag");
  put_file(folder / "three.jsonl", R"({"ctx": "a", "label": 0, "endings": ["a", "b", "c"]})");
  expect_error(kProgram, "--hellaswag-every 5 --hellaswag " + (folder / "three.jsonl"),
               "three.jsonl, line 1: 3 endings");
  put_file(folder / "short.txt", "Too short.");
  expect_error(kProgram, "--val-every 5 --val-data " + (folder / "short.txt"),
               "validation (--val-data, or the last tenth of --data): --batch");
  ASSERT_EQ(run_program(kProgram, kSmall + "--steps 2" + out).status, 0);
  expect_error(kProgram, kSmall + "--steps 2" + out, "not empty; --resume continues");
  expect_error(kProgram, "--val-data " + (folder / "short.txt"), "--val-data: say how often");
  const std::string log = file_bytes(folder / "out/log.txt");
  const Outcome finished = run_program(kProgram, kSmall + "--steps 2 --max-lr 0.0006 --resume" + out);
  EXPECT_EQ(finished.status, 0) << finished.error;
  EXPECT_NE(finished.output.find("nothing left to do"), std::string::npos) << finished.output;
  EXPECT_EQ(file_bytes(folder / "out/log.txt"), log);
}
