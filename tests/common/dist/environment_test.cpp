#include "common/dist/environment.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <string>
#include <vector>

#include "tests/common/files.h"

namespace gpt2::testing {
namespace {

using Variables = std::map<std::string, std::string>;

// What read_environment() gives where these variables are set, and no others of a launcher.
dist::Environment environment_of(const Variables& variables) {
  for (const char* name : {"RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "MASTER_ADDR",
                           "MASTER_PORT", "TORCHELASTIC_RUN_ID", "TORCHELASTIC_ERROR_FILE", "SLURM_JOB_ID",
                           "SLURM_PROCID", "SLURM_LOCALID", "OMPI_COMM_WORLD_SIZE", "PMI_SIZE"})
    unsetenv(name);
  for (const auto& [name, value] : variables) setenv(name.c_str(), value.c_str(), 1);
  const dist::Environment environment = dist::read_environment();
  for (const auto& [name, value] : variables) unsetenv(name.c_str());
  return environment;
}

// As torchrun sets them for one of four ranks.
Variables of_rank(int rank, const Variables& more = {}) {
  Variables variables = {{"RANK", std::to_string(rank)},
                         {"WORLD_SIZE", "4"},
                         {"LOCAL_RANK", std::to_string(rank)},
                         {"LOCAL_WORLD_SIZE", "4"},
                         {"MASTER_ADDR", "localhost"},
                         {"MASTER_PORT", "29500"},
                         {"TORCHELASTIC_RUN_ID", "none"},
                         {"TORCHELASTIC_ERROR_FILE", "/tmp/torchelastic_x4t2/none_k9p1/attempt_0/" +
                                                         std::to_string(rank) + "/error.json"}};
  for (const auto& [name, value] : more) variables[name] = value;
  return variables;
}

// The key is equal on all ranks of a run and differs from that of every other run, as far as the launcher gives
// anything that does.
TEST(Environment, TheKeyIsThatOfTheRun) {
  const std::string key = environment_of(of_rank(0)).key;
  EXPECT_NE(key.find("torchelastic_x4t2/none_k9p1"), std::string::npos) << key;
  EXPECT_EQ(environment_of(of_rank(3)).key, key);
  const std::string elsewhere = "/tmp/torchelastic_other/none_/attempt_0/0/error.json";
  for (const Variables& other :
       {Variables{{"TORCHELASTIC_ERROR_FILE", elsewhere}}, Variables{{"TORCHELASTIC_RUN_ID", "mine"}},
        Variables{{"SLURM_JOB_ID", "7"}}, Variables{{"MASTER_PORT", "29502"}}}) {
    EXPECT_NE(environment_of(of_rank(0, other)).key, key) << other.begin()->first;
  }
  // Each machine of several has a torchrun of its own, whose folder has another name.
  const Variables two_machines = {{"LOCAL_WORLD_SIZE", "2"}, {"MASTER_ADDR", "node0"}};
  Variables second = two_machines;
  second["TORCHELASTIC_ERROR_FILE"] = elsewhere;
  EXPECT_EQ(environment_of(of_rank(3, second)).key, environment_of(of_rank(0, two_machines)).key);
}

TEST(Environment, HalfOfALaunchersVariablesIsAnError) {
  for (const Variables& half :
       {Variables{{"RANK", "1"}}, Variables{{"WORLD_SIZE", "2"}}, Variables{{"LOCAL_RANK", "1"}},
        Variables{{"RANK", "0"}, {"LOCAL_RANK", "0"}}, Variables{{"WORLD_SIZE", "2"}, {"LOCAL_RANK", "0"}}}) {
    EXPECT_ERROR(environment_of(half), "is set, but not both RANK and WORLD_SIZE");
    for (const auto& [name, value] : half) unsetenv(name.c_str());
  }
  for (const char* name : {"OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_LOCAL_RANK", "OMPI_COMM_WORLD_LOCAL_SIZE",
                           "PMI_RANK", "PMIX_NAMESPACE", "MPI_LOCALRANKID", "MPI_LOCALNRANKS"}) {
    EXPECT_ERROR(environment_of({{name, "0"}}),
                 std::string(name) + " is set, but none of OMPI_COMM_WORLD_SIZE");
    EXPECT_EQ(environment_of({{name, "0"}, {"PMIX_RANK", "0"}}).launcher, dist::Launcher::mpi);
    for (const char* each : {name, "PMIX_RANK"}) unsetenv(each);
  }
  EXPECT_EQ(environment_of({{"RANK", "0"}, {"WORLD_SIZE", "1"}}).world_size, 1);
  EXPECT_EQ(environment_of({{"LOCAL_RANK", "1"}, {"OMPI_COMM_WORLD_SIZE", "2"}}).launcher,
            dist::Launcher::mpi);
}

// Slurm counts the processes that it starts, and numbers them.
TEST(Environment, KnowsHowManyProcessesALauncherStarted) {
  EXPECT_EQ(environment_of({}).started, 1);
  EXPECT_EQ(environment_of({{"SLURM_PROCID", "0"}}).started, 1);  // a batch script's
  EXPECT_EQ(environment_of({{"SLURM_LOCALID", "0"}}).started, 1);
  EXPECT_EQ(environment_of({{"SLURM_LOCALID", "1"}}).started, 2);
  EXPECT_EQ(environment_of({{"SLURM_PROCID", "3"}}).started, 4);
  EXPECT_EQ(environment_of({{"OMPI_COMM_WORLD_SIZE", "2"}}).started_says, "OMPI_COMM_WORLD_SIZE=2");
}

TEST(Environment, RanksOfOneMachineMeetAtTheLoopbackAddress) {
  struct Case {
    Variables variables;
    bool expected;
  };
  for (const auto& [variables, expected] :
       std::vector<Case>{{{}, true},
                         {{{"MASTER_ADDR", "node0"}}, true},
                         {{{"MASTER_ADDR", "node0"}, {"LOCAL_WORLD_SIZE", "2"}}, false},
                         {{{"MASTER_ADDR", "127.0.0.1"}, {"LOCAL_WORLD_SIZE", "2"}}, true},
                         {{{"MASTER_ADDR", ""}, {"LOCAL_WORLD_SIZE", "2"}}, true},
                         {{{"MASTER_ADDR", "10.0.0.7"}, {"LOCAL_WORLD_SIZE", "2"}}, false}}) {
    EXPECT_EQ(environment_of(of_rank(1, variables)).is_one_machine(), expected);
  }
}

}  // namespace
}  // namespace gpt2::testing
