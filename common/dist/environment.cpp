#include "common/dist/environment.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <limits>

#include "common/base/error.h"
#include "common/dist/socket.h"

namespace gpt2::dist {
namespace {

int number(const char* name, int low, int high) {
  const char* text = std::getenv(name);
  require(text != nullptr, "RANK and WORLD_SIZE are set, {} is not: start the ranks with torchrun or mpirun",
          name);
  const std::string value = text;
  int result = -1;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), result);
  require(error == std::errc() && end == value.data() + value.size() && result >= low && result <= high,
          "{}={}: expected a number from {} to {}", name, value, low, high);
  return result;
}

bool started_by_mpi() {
  // Open MPI's mpirun; MPICH's mpiexec and its kin; Slurm's srun and other launchers that speak PMIx.
  const auto names = {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "PMIX_RANK"};
  return std::any_of(names.begin(), names.end(),
                     [](const char* name) { return std::getenv(name) != nullptr; });
}

// The number of processes that mpirun, mpiexec or srun says it started: whether they come together is another question.
void add_started(Environment& environment) {
  const auto add = [&](const char* name, int more) {
    const char* value = std::getenv(name);
    const int started = value == nullptr ? 0 : std::atoi(value) + more;
    if (started <= environment.started) return;
    environment.started = started;
    environment.started_says = fmt::format("{}={}", name, value);
  };
  for (const char* name : {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "SLURM_STEP_NUM_TASKS"}) add(name, 0);
  for (const char* name : {"PMIX_RANK", "PMI_RANK", "SLURM_PROCID", "SLURM_LOCALID"}) add(name, 1);
}

// Some of a launcher's variables without the others: a process that nobody would meet, and that would train alone.
void require_whole(const Environment& environment) {
  if (environment.launcher != Launcher::none) return;
  for (const char* name : {"RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE"}) {
    require(
        std::getenv(name) == nullptr,
        "{} is set, but not both RANK and WORLD_SIZE: start the ranks with torchrun or mpirun, or unset {}",
        name, name);
  }
  for (const char* name : {"OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_LOCAL_RANK", "OMPI_COMM_WORLD_LOCAL_SIZE",
                           "PMI_RANK", "PMIX_NAMESPACE", "MPI_LOCALRANKID", "MPI_LOCALNRANKS"}) {
    require(
        std::getenv(name) == nullptr,
        "{} is set, but none of OMPI_COMM_WORLD_SIZE, PMI_SIZE and PMIX_RANK: start the ranks with mpirun, "
        "or unset {}",
        name, name);
  }
}

std::string text(const char* name, const char* otherwise) {
  const char* value = std::getenv(name);
  return value == nullptr || *value == 0 ? otherwise : value;
}

// torchrun tells each rank where to report an error: /tmp/torchelastic_x4t2/none_k9p1/attempt_0/RANK/error.json. All
// ranks of a machine share the second folder; only their user can list the first, so nobody else knows its name.
std::string folder_of_torchrun() {
  const std::filesystem::path file = text("TORCHELASTIC_ERROR_FILE", "");
  return file.parent_path().parent_path().parent_path();
}

}  // namespace

bool Environment::is_one_machine() const {
  return local_world_size == world_size || is_loopback(master_addr);
}

Environment read_environment() {
  constexpr int kMost = std::numeric_limits<int>::max();
  Environment environment;
  add_started(environment);
  if (std::getenv("RANK") != nullptr && std::getenv("WORLD_SIZE") != nullptr) {
    environment.launcher = Launcher::torchrun;
    environment.world_size = number("WORLD_SIZE", 1, kMost);
    environment.rank = number("RANK", 0, environment.world_size - 1);
    if (environment.world_size == 1) return environment;  // nobody to meet
    environment.local_rank = number("LOCAL_RANK", 0, environment.world_size - 1);
    if (std::getenv("LOCAL_WORLD_SIZE") != nullptr) {
      environment.local_world_size = number("LOCAL_WORLD_SIZE", 1, environment.world_size);
    }
    environment.master_port = number("MASTER_PORT", 1, 65535);
    environment.master_addr = text("MASTER_ADDR", kLoopback);
    const bool one_torchrun = environment.local_world_size == environment.world_size;
    environment.key =
        fmt::format("{} {} {} {}", text("TORCHELASTIC_RUN_ID", "none"), text("SLURM_JOB_ID", "none"),
                    environment.master_port, one_torchrun ? folder_of_torchrun() : "");
  } else if (started_by_mpi()) {
    environment.launcher = Launcher::mpi;
  }
  require_whole(environment);
  return environment;
}

}  // namespace gpt2::dist
