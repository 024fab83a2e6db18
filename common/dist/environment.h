// Which launcher started this process (none, mpirun or torchrun), read from the variables that it sets.
//
// since 12_ddp
#pragma once

#include <cstdint>
#include <string>

namespace gpt2::dist {

enum class Launcher : uint8_t { none, mpi, torchrun };

struct Environment {
  Launcher launcher = Launcher::none;
  // As torchrun sets them; under mpirun MPI knows them.
  int rank = 0, world_size = 1, local_rank = 0;
  int local_world_size = 0;  // ranks of this machine; 0: not known
  int started = 1;           // processes that a launcher says it started,
  std::string started_says;  // and the variable that says so
  std::string master_addr;   // where rank 0 runs
  int master_port = 0;       // held by torchrun itself
  // All that the launcher gives to every rank of this run and to no other process. On one machine it is secret:
  // torchrun's folder is in it. On several it is only if torchrun was started with an --rdzv-id that nobody can guess.
  std::string key;

  // Then ranks meet at 127.0.0.1: it needs no name server, and no other machine can come.
  bool is_one_machine() const;
};

// torchrun sets RANK, WORLD_SIZE, LOCAL_RANK, MASTER_ADDR and MASTER_PORT. They take precedence over mpirun's variables,
// since torchrun may itself have been started by mpirun or srun. Throws on an impossible value; the message names the
// variable.
Environment read_environment();

}  // namespace gpt2::dist
