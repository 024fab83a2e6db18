#include <filesystem>

#include "paths.h"
#include "tests/common/dist/launch.h"
#include "tests/steps/program.h"

using namespace gpt2::testing;

namespace {

// Three micro-batches a step, so that there are a first, a next and a last one; dropout, whose masks change.
const std::string kFlags = " --batch 1 --seq 16 --steps 5 --dropout 0.1 --seed 3 --total-batch ";

// A step's program with a "GPU": the executor, or a real one in a build for GPUs.
std::string on_gpu(const std::string& step) {
  const std::string executor = GPT2_BIN_DIR "/executor/" + step;
  return (std::filesystem::exists(executor) ? executor : GPT2_BIN_DIR "/" + step) + " --device cuda";
}

// Losses, norms and the last weights of a run as that many ranks.
struct Run {
  std::vector<double> losses, norms;
  std::string weights, output;
};

Run run_on_gpu(const std::string& step, int ranks, const std::string& flags) {
  const TempDir folder;
  const std::string out = folder / "out",
                    command = on_gpu(step) + " --out " + out + kFlags + std::to_string(48 * ranks) + flags;
  const Ended ended = ranks == 1 ? run_in_shell(command) : run_with_mpi(ranks, command);
  EXPECT_EQ(ended.status, 0) << ended.output;
  Run run{.losses = {}, .norms = {}, .weights = {}, .output = ended.output};
  std::ifstream lines(out + "/log.jsonl");
  for (std::string line; std::getline(lines, line);) {
    const auto event = nlohmann::json::parse(line);
    if (event.at("event") != "step") continue;
    run.losses.push_back(event.at("loss"));
    run.norms.push_back(event.at("norm"));
  }
  EXPECT_EQ(run.losses.size(), 5u);
  run.weights = file_bytes(out + "/step_000005/model.safetensors");
  return run;
}

// A build for GPUs has no programs on the executor.
bool have_gpus(int ranks) {
  if (std::filesystem::exists(GPT2_BIN_DIR "/executor")) return true;
  return std::system(
             ("test $(nvidia-smi -L 2> /dev/null | grep -c ^GPU) -ge " + std::to_string(ranks)).c_str()) == 0;
}

void expect_graphs_change_nothing(int ranks) {
  if (!have_gpus(ranks)) GTEST_SKIP() << "fewer than " << ranks << " GPUs";
  const Run launched = run_on_gpu("13_fineweb", ranks, ""),
            off = run_on_gpu("14_cuda_graph", ranks, " --cuda-graph off"),
            replayed = run_on_gpu("14_cuda_graph", ranks, " --cuda-graph on");
  for (const Run* run : {&off, &replayed}) {
    EXPECT_EQ(run->losses, launched.losses);
    EXPECT_EQ(run->norms, launched.norms);
    EXPECT_TRUE(run->weights == launched.weights);
  }
  EXPECT_EQ(off.output.find("CUDA graph"), std::string::npos) << off.output;
  for (const char* part : {"first", "next", "last", "update"})
    EXPECT_NE(replayed.output.find("CUDA graph \"" + std::string(part) + "\": "), std::string::npos)
        << replayed.output;
}

}  // namespace

TEST(CudaGraphs, OnTheCpuItIsStep13) {
  const std::string flags = "--steps 8 --batch 2 --seq 32 --total-batch 256";
  EXPECT_EQ(run_program("14_cuda_graph", flags).losses(), run_program("13_fineweb", flags).losses());
}

TEST(CudaGraphs, ReplayedItIsStep13) { expect_graphs_change_nothing(1); }

TEST(CudaGraphs, ReplayedOnTwoRanksItIsStep13) {
  if (!have_mpirun()) GTEST_SKIP() << "mpirun is not there";
  expect_graphs_change_nothing(2);
}

TEST(CudaGraphs, BadInputIsOneLine) {
  expect_error("14_cuda_graph", "--cuda-graph on",
               "--cuda-graph on: this run is on cpu; only a GPU has CUDA graphs");
  expect_error("14_cuda_graph", "--cuda-graph maybe", "--cuda-graph");
}
