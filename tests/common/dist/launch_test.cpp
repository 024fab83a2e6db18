// Whole runs: how they start, and how they end when a rank is lost.
#include "tests/common/dist/launch.h"

#include <thread>

#include "paths.h"
#include "tests/common/testing.h"

namespace gpt2::testing {
namespace {

const std::string kLostRank = GPT2_BIN_DIR "/lost_rank";

class MpiRun : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!have_mpirun()) GTEST_SKIP() << "no MPI, or no mpirun (Debian: libopenmpi-dev openmpi-bin)";
  }
};

TEST_F(MpiRun, SharesTheProcessorsAmongItsRanks) {
  const Ended ended = run_with_mpi(4, kLostRank + " cpu none 0");
  EXPECT_EQ(ended.status, 0) << ended.output;
  const int threads = std::max(1, int(std::thread::hardware_concurrency()) / 4);
  // Open MPI may add lines about the machine's network.
  EXPECT_EQ(ended.count("4 ranks, " + std::to_string(threads) + " threads\n"), 1) << ended.output;
}

TEST_F(MpiRun, EndsWithinSecondsWhenARankIsKilled) {
  for (const char* rank : {"0", "1", "2"}) {
    SCOPED_TRACE(rank);
    const Ended ended = run_with_mpi(3, kLostRank + " cpu kill " + rank);
    EXPECT_NE(ended.status, 0);
    EXPECT_LE(ended.seconds, 10);
    // Our watchdog's line, or mpirun's, whoever is first.
    EXPECT_GE(ended.count(std::string("lost rank ") + rank) + ended.count("exited on signal 9"), 1)
        << ended.output;
  }
}

TEST_F(MpiRun, EndsWhenARankIsStopped) {
  for (const char* rank : {"0", "1"}) {
    SCOPED_TRACE(rank);
    const Ended ended = run_with_mpi(3, kLostRank + " cpu stop " + rank);
    EXPECT_NE(ended.status, 0);
    EXPECT_LE(ended.seconds, 10);
    EXPECT_EQ(ended.count(std::string("lost rank ") + rank + ": no sign of life for 2"), 1) << ended.output;
  }
}

TEST_F(MpiRun, EndsWithTheErrorOfTheRankThatFails) {
  for (const char* rank : {"0", "2"}) {
    SCOPED_TRACE(rank);
    const Ended ended = run_with_mpi(3, kLostRank + " cpu throw " + rank);
    EXPECT_EQ(ended.status, 1);
    EXPECT_LE(ended.seconds, 10);
    EXPECT_EQ(ended.count("lost_rank: a shard is short\n"), 1) << ended.output;
    EXPECT_EQ(ended.count("lost rank"), 0) << ended.output;
  }
}

// One of two ranks ends before it calls MPI_Init. If it ends with status 0, mpirun does not end the other.
TEST_F(MpiRun, EndsWhenARankNeverCallsMpiInit) {
  struct Case {
    std::vector<std::string> ranks;
    std::string expected;
    double seconds;
  };
  const std::string none = kLostRank + " cpu none 0", late = "bash -c 'sleep 1; exec " + none + "'",
                    init = "lost_rank: not all ranks came to MPI_Init within 8 s; their own output says why";
  const std::vector<Case> cases = {{{"true", late}, init, 13},
                                   {{late, "true"}, init, 13},
                                   {{none, kLostRank + " cpu"}, "lost_rank: lost_rank cpu|cuda", 6},
                                   {{"false", late}, "", 6}};
  for (const Case& c : cases) {
    SCOPED_TRACE(c.ranks[0] + " : " + c.ranks[1]);
    const Ended ended = run_with_mpi(c.ranks);
    EXPECT_NE(ended.status, 0);
    EXPECT_GE(ended.count(c.expected), 1) << ended.output;
    EXPECT_LE(ended.seconds, c.seconds);
  }
}

TEST_F(MpiRun, AnErrorOfAllRanksIsPrintedOnce) {
  const Ended ended = run_with_mpi(3, kLostRank + " cpu throw -1");
  EXPECT_EQ(ended.status, 1);
  EXPECT_EQ(ended.count("lost_rank: a shard is short\n"), 1) << ended.output;
  EXPECT_EQ(ended.count("lost rank"), 0) << ended.output;
}

TEST_F(MpiRun, RanksWithAGpuAndWithoutAreNoRun) {
#ifndef GPT2_HAVE_NCCL
  GTEST_SKIP() << "no NCCL in this build";
#endif
  if (cuda_device_count() == 0) GTEST_SKIP() << "no GPU";
  for (const bool gpu_first : {true, false}) {
    const std::string gpu = kLostRank + " cuda none 0", cpu = kLostRank + " cpu none 0";
    const Ended ended = run_with_mpi({gpu_first ? gpu : cpu, gpu_first ? cpu : gpu});
    EXPECT_EQ(ended.status, 1);
    EXPECT_EQ(ended.count(gpu_first ? "rank 0 uses a GPU and rank 1 a CPU; give all ranks the same --device"
                                    : "rank 0 uses a CPU and rank 1 a GPU; give all ranks the same --device"),
              1)
        << ended.output;
    EXPECT_LE(ended.seconds, 15);
  }
}

// With torchrun's variables: on "GPUs" that are executors, or on real ones where there are three.
class TorchRun : public ::testing::Test {
 protected:
  void SetUp() override {
#ifndef GPT2_HAVE_NCCL
    GTEST_SKIP() << "no NCCL in this build";
#endif
    setenv("EXECUTOR_DEVICES", "3", 1);
    if (cuda_device_count() < 3) GTEST_SKIP() << "fewer than three GPUs";
  }
  void TearDown() override { unsetenv("EXECUTOR_DEVICES"); }
};

TEST_F(TorchRun, StartsAndEnds) {
  const Ended ended = run_with_variables(3, kLostRank + " cuda none 0");
  EXPECT_EQ(ended.status, 0) << ended.output;
  EXPECT_EQ(ended.count("3 ranks"), 1) << ended.output;
}

TEST_F(TorchRun, EndsWithinSecondsWhenARankIsLost) {
  for (const std::string how : {"kill", "stop"}) {
    for (const std::string rank : {"0", "1", "2"}) {
      SCOPED_TRACE(how + " " + rank);
      const Ended ended = run_with_variables(3, kLostRank + " cuda " + how + " " + rank);
      EXPECT_NE(ended.status, 0);
      EXPECT_LE(ended.seconds, 10);
      EXPECT_EQ(ended.count("lost rank " + rank), 1) << ended.output;
    }
  }
}

TEST_F(TorchRun, EndsWithTheErrorOfTheRankThatFails) {
  for (const std::string rank : {"0", "2", "-1"}) {
    SCOPED_TRACE(rank);
    const Ended ended = run_with_variables(3, kLostRank + " cuda throw " + rank);
    EXPECT_EQ(ended.status, 1);
    EXPECT_LE(ended.seconds, 10);
    EXPECT_EQ(ended.count("lost_rank: a shard is short\n"), 1) << ended.output;
    EXPECT_EQ(ended.count("lost rank"), 0) << ended.output;
  }
}

// With a GPU for each rank: torchrun shows all of them to every rank, Slurm each rank its own.
TEST_F(TorchRun, EachRankHasAGpuOfItsOwn) {
  struct Case {
    std::string gpus, expected;  // what a rank sees, as a shell says it
  };
  const std::vector<Case> cases = {
      {"EXECUTOR_DEVICES=2", ""},
      {"EXECUTOR_DEVICES=1 CUDA_VISIBLE_DEVICES=$RANK", ""},
      {"EXECUTOR_DEVICES=2 CUDA_VISIBLE_DEVICES=$((2 * RANK)),$((2 * RANK + 1))", ""},
      {"EXECUTOR_DEVICES=1", "ranks 0 and 1 have the same GPU (0000:00:00.0"},
      {"EXECUTOR_DEVICES=1 CUDA_VISIBLE_DEVICES=3", "ranks 0 and 1 have the same GPU (0000:03:00.0"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.gpus);
    const Ended ended =
        run_with_variables(2, "bash -c 'export " + c.gpus + "; exec " + kLostRank + " cuda none 0'");
    EXPECT_EQ(ended.status, c.expected.empty() ? 0 : 1) << ended.output;
    EXPECT_EQ(ended.count(c.expected.empty() ? "2 ranks" : c.expected), 1) << ended.output;
    EXPECT_LE(ended.seconds, 10);
  }
}

TEST_F(TorchRun, APortInUseEndsAllRanks) {
  const int port = free_port();
  const dist::Socket taken =
      dist::Socket::listen(dist::kLoopback, port + 1, dist::Deadline(std::chrono::seconds(1)));
  std::string script = "export WORLD_SIZE=3 MASTER_ADDR=127.0.0.1 MASTER_PORT=" + std::to_string(port) + "\n";
  for (const char* rank : {"0", "1", "2"}) {  // nobody ends the others when one fails
    script += std::string("RANK=") + rank + " LOCAL_RANK=" + rank + " " + kLostRank + " cuda none 0 &\n";
  }
  const Ended ended = run_in_shell(script + "wait -n; wait -n; wait -n\n");
  EXPECT_EQ(ended.count("rank 0: cannot listen on port " + std::to_string(port + 1)), 1) << ended.output;
  EXPECT_EQ(ended.count("rank 0 is too slow, or another program is there"), 2) << ended.output;
  EXPECT_LE(ended.seconds, 14);
}

TEST(TorchVariables, OnTheCpuNameMpirun) {
  const Ended ended = run_with_variables(2, kLostRank + " cpu none 0");
  EXPECT_EQ(ended.status, 1);
  EXPECT_EQ(ended.count("start them with mpirun -n 2"), 2) << ended.output;  // two ranks that never met
}

}  // namespace
}  // namespace gpt2::testing
