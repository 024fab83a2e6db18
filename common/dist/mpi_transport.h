// MPI: starts ranks, and carries their values in host memory.
//
// since 12_ddp
#pragma once

#include <memory>

#include "common/dist/transport.h"

namespace gpt2::dist {

// MPI_Init to MPI_Finalize. Fails in a build without MPI.
class MpiSession {
 public:
  MpiSession();
  ~MpiSession();
  MpiSession(const MpiSession&) = delete;
  MpiSession& operator=(const MpiSession&) = delete;

  int rank() const { return rank_; }
  int world_size() const { return world_size_; }
  int local_rank() const { return local_rank_; }  // among the ranks of this machine
  int local_size() const { return local_size_; }
  int threads() const {
    return threads_;
  }  // this rank's share of the processors that the machine's ranks may use

  void broadcast(void* values, size_t bytes) const;  // rank 0's to all

 private:
  int rank_ = 0, world_size_ = 1, local_rank_ = 0, local_size_ = 1, threads_ = 1;
};

// Each rank adds up one slice of the values, in the order of the ranks, and gives the sums to the others:
// whatever the library's own MPI_Allreduce would choose to do, the same number of ranks gives the same bits.
// A thread does it while the one that computes goes on; while it waits for the others it sleeps, and leaves
// them the processor.
std::unique_ptr<Transport> make_mpi_transport(const MpiSession& session);

}  // namespace gpt2::dist
