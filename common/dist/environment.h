// Who started this process: nobody, mpirun, or torchrun; read from the variables that they set.
//
// since 12_ddp
#pragma once

#include <cstdint>
#include <string>

namespace gpt2::dist {

enum class Launcher : uint8_t { none, mpi, torchrun };

struct Environment {
  Launcher launcher = Launcher::none;
  // What torchrun says; under mpirun MPI has to be asked.
  int rank = 0, world_size = 1, local_rank = 0;
  std::string master_addr;  // where rank 0 runs
  int master_port = 0;      // held by torchrun itself
};

// torchrun: RANK, WORLD_SIZE, LOCAL_RANK, MASTER_ADDR and MASTER_PORT. They count for more than mpirun's,
// since torchrun may itself have been started by mpirun or srun. Fails on values that make no sense, naming
// the variable.
Environment read_environment();

}  // namespace gpt2::dist
