#include "common/dist/process_group.h"

#include "common/dist/ddp.h"
#include "common/dist/environment.h"
#include "common/nn/layers.h"
#include "common/optim/adamw.h"
#include "tests/common/files.h"
#include "tests/common/testing.h"

namespace gpt2::testing {
namespace {

// The environment without what launchers set, plus `variables`.
class EnvironmentTest : public ::testing::Test {
 protected:
  void SetUp() override { clear(); }
  void TearDown() override { clear(); }

  dist::Environment with(const std::vector<std::pair<const char*, const char*>>& variables) {
    clear();
    for (const auto& [name, value] : variables) setenv(name, value, 1);
    return dist::read_environment();
  }

 private:
  static void clear() {
    for (const char* name : {"RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "MASTER_ADDR",
                             "MASTER_PORT", "TORCHELASTIC_RUN_ID", "OMPI_COMM_WORLD_SIZE", "PMI_SIZE",
                             "PMI_RANK", "PMIX_RANK", "SLURM_STEP_NUM_TASKS", "SLURM_NTASKS"}) {
      unsetenv(name);
    }
  }
};

TEST_F(EnvironmentTest, TellsTheLauncher) {
  EXPECT_EQ(with({}).launcher, dist::Launcher::none);
  for (const char* name : {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "PMIX_RANK"}) {
    EXPECT_EQ(with({{name, "2"}}).launcher, dist::Launcher::mpi) << name;
  }
  const dist::Environment torchrun = with({{"RANK", "5"},
                                           {"WORLD_SIZE", "8"},
                                           {"LOCAL_RANK", "1"},
                                           {"MASTER_ADDR", "node7"},
                                           {"MASTER_PORT", "29500"},
                                           {"PMIX_RANK", "0"}});
  EXPECT_EQ(torchrun.launcher, dist::Launcher::torchrun);
  EXPECT_EQ(torchrun.rank, 5);
  EXPECT_EQ(torchrun.world_size, 8);
  EXPECT_EQ(torchrun.local_rank, 1);
  EXPECT_EQ(torchrun.master_addr, "node7");
  EXPECT_EQ(torchrun.master_port, 29500);
}

// So that processes that were started together, but cannot meet, do not train apart.
TEST_F(EnvironmentTest, TellsHowManyProcessesTheLauncherStarted) {
  struct Case {
    std::vector<std::pair<const char*, const char*>> variables;
    int started;
    std::string says;
  };
  for (const Case& each : std::vector<Case>{{{}, 1, ""},
                                            {{{"OMPI_COMM_WORLD_SIZE", "1"}}, 1, ""},
                                            {{{"OMPI_COMM_WORLD_SIZE", "2"}}, 2, "OMPI_COMM_WORLD_SIZE=2"},
                                            {{{"PMI_SIZE", "3"}, {"PMI_RANK", "0"}}, 3, "PMI_SIZE=3"},
                                            {{{"PMIX_RANK", "0"}}, 1, ""},
                                            {{{"PMIX_RANK", "1"}}, 2, "PMIX_RANK=1"},
                                            {{{"SLURM_STEP_NUM_TASKS", "4"}}, 4, "SLURM_STEP_NUM_TASKS=4"},
                                            {{{"SLURM_NTASKS", "4"}}, 1, ""}}) {  // of the allocation
    const dist::Environment environment = with(each.variables);
    EXPECT_EQ(environment.started, each.started) << each.says;
    EXPECT_EQ(environment.started_says, each.says);
  }
}

TEST_F(EnvironmentTest, ProcessesThatDoNotMeetEnd) {
  with({{"SLURM_STEP_NUM_TASKS", "2"}});
  EXPECT_ERROR(
      dist::ProcessGroup(kCpu, {}),
      "SLURM_STEP_NUM_TASKS=2: 2 processes were started, but this one would train alone; start them with");
  with({{"OMPI_COMM_WORLD_SIZE", "2"}, {"RANK", "0"}, {"WORLD_SIZE", "1"}});
  EXPECT_ERROR(dist::ProcessGroup(kCpu, {}), "would train alone; unset RANK and WORLD_SIZE");
  with({{"OMPI_COMM_WORLD_SIZE", "2"},
        {"RANK", "0"},
        {"WORLD_SIZE", "2"},
        {"LOCAL_RANK", "0"},
        {"MASTER_PORT", "2"}});
  EXPECT_ERROR(dist::ProcessGroup(kCpu, {}), "talk by MPI: unset them, and start them with mpirun -n 2");
  with({{"RANK", "0"}, {"WORLD_SIZE", "1"}});  // as in a pod of its own
  EXPECT_EQ(dist::ProcessGroup(kCpu, {}).world_size(), 1);
}

// Then no name is looked up, and rank 0 listens to this machine alone.
TEST_F(EnvironmentTest, TellsWhetherAllRanksAreOnOneMachine) {
  struct Case {
    const char *address, *local_world_size;
    bool expected;
  };
  for (const Case& c :
       {Case{"localhost", nullptr, true}, Case{"127.0.0.1", "2", true}, Case{"node7", "8", true},
        Case{"node7", "2", false}, Case{"10.0.0.7", nullptr, false}}) {
    SCOPED_TRACE(c.address);
    std::vector<std::pair<const char*, const char*>> variables = {{"RANK", "1"},
                                                                  {"WORLD_SIZE", "8"},
                                                                  {"LOCAL_RANK", "1"},
                                                                  {"MASTER_ADDR", c.address},
                                                                  {"MASTER_PORT", "29500"}};
    if (c.local_world_size != nullptr) variables.emplace_back("LOCAL_WORLD_SIZE", c.local_world_size);
    EXPECT_EQ(with(variables).is_one_machine(), c.expected);
  }
}

TEST_F(EnvironmentTest, TheKeyIsTheRunsOwn) {
  const auto key = [&](const char* rank, const char* port, const char* run_id) {
    return with({{"RANK", rank},
                 {"WORLD_SIZE", "2"},
                 {"LOCAL_RANK", rank},
                 {"MASTER_PORT", port},
                 {"TORCHELASTIC_RUN_ID", run_id}})
        .key;
  };
  EXPECT_EQ(key("0", "29500", "a"), key("1", "29500", "a"));
  EXPECT_NE(key("0", "29500", "a"), key("0", "29500", "b"));
  EXPECT_NE(key("0", "29500", "a"), key("0", "29501", "a"));
}

TEST_F(EnvironmentTest, NamesTheVariableThatMakesNoSense) {
  EXPECT_ERROR(with({{"RANK", "x"}, {"WORLD_SIZE", "2"}}), "RANK=x: expected a number from 0 to 1");
  EXPECT_ERROR(with({{"RANK", "2"}, {"WORLD_SIZE", "2"}}), "RANK=2: expected a number from 0 to 1");
  EXPECT_ERROR(with({{"RANK", "0"}, {"WORLD_SIZE", "0"}}), "WORLD_SIZE=0");
  EXPECT_ERROR(with({{"RANK", "0"}, {"WORLD_SIZE", "2"}}), "LOCAL_RANK is not");
  EXPECT_ERROR(with({{"RANK", "0"}, {"WORLD_SIZE", "2"}, {"LOCAL_RANK", "0"}}), "MASTER_PORT is not");
}

TEST_F(EnvironmentTest, RanksOnTheCpuWantMpirun) {
  setenv("RANK", "0", 1);
  setenv("WORLD_SIZE", "2", 1);
  setenv("LOCAL_RANK", "0", 1);
  setenv("MASTER_PORT", "29500", 1);
  EXPECT_ERROR(dist::ProcessGroup(kCpu), "start them with mpirun -n 2");
}

TEST_F(EnvironmentTest, AloneCollectivesLeaveTheValues) {
  const dist::ProcessGroup group(kCpu);
  EXPECT_EQ(group.rank(), 0);
  EXPECT_EQ(group.world_size(), 1);
  EXPECT_TRUE(group.is_master());
  EXPECT_EQ(group.device(), kCpu);
  const std::vector<float> values = uniform(10, -1, 1);
  const Tensor x = from_vector(values, {10});
  group.all_reduce(x);
  group.broadcast(x);
  group.start_average(x);
  group.wait();
  group.barrier();
  EXPECT_EQ(x.to_vector<float>(), values);
  double loss = 3;
  group.all_reduce(std::span(&loss, 1));
  EXPECT_EQ(loss, 3);
}

// ---- buckets

struct Layers : nn::Module {
  nn::Linear a{this, "a", 8, 16}, b{this, "b", 16, 8}, c{this, "c", 8, 8};
};

std::vector<Tensor> parameters_of(const nn::Module& model) {
  std::vector<Tensor> parameters;
  for (const auto& [name, tensor] : model.named_parameters()) parameters.push_back(*tensor);
  return parameters;
}

TEST(Buckets, CoverTheBlockWithoutOverlap) {
  Layers model;
  model.to(kCpu);
  const auto parameters = parameters_of(model);
  const int64_t elements = int64_t(parameters[0].storage()->bytes() / sizeof(float));
  for (const int64_t bytes : {1, 800, 1100, 1 << 20}) {
    SCOPED_TRACE(bytes);
    int64_t end = 0;
    size_t leaves = 0;
    for (const dist::Bucket& bucket : dist::make_buckets(parameters, bytes)) {
      EXPECT_EQ(bucket.begin, end);
      EXPECT_GT(bucket.end, bucket.begin);
      end = bucket.end;
      leaves += bucket.leaves.size();
    }
    EXPECT_EQ(end, elements);
    EXPECT_EQ(leaves, 6u);
  }
}

TEST(Buckets, HoldAsMuchAsTheyMayAndKeepVectorsApart) {
  Layers model;  // matrices of 128, 128 and 64 floats, vectors of 16, 8 and 8
  model.to(kCpu);
  const auto sizes = [&](int64_t bytes) {
    std::vector<size_t> sizes;
    for (const auto& bucket : dist::make_buckets(parameters_of(model), bytes))
      sizes.push_back(bucket.leaves.size());
    return sizes;
  };
  EXPECT_EQ(sizes(1), (std::vector<size_t>{1, 1, 1, 1, 1, 1}));
  EXPECT_EQ(sizes(256 * 4), (std::vector<size_t>{2, 1, 3}));
  EXPECT_EQ(sizes(1 << 20), (std::vector<size_t>{3, 3}));
}

TEST(Buckets, WantOneBlock) {
  const Layers model;
  EXPECT_ERROR(dist::make_buckets(parameters_of(model), 1), "call model.to(device) first");
}

}  // namespace
}  // namespace gpt2::testing
