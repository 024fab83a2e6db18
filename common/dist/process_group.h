// The processes that train one model together, as torch.distributed's default group.
//
//   const dist::ProcessGroup group(options.device());
//   const Device device = group.device();              // this rank's own GPU, or the CPU
//   ...
//   group.all_reduce(std::span(&loss, 1));             // the sum over all ranks
//
// Started by mpirun, or with the variables that torchrun sets, this process is one rank of world_size();
// otherwise it is alone, and every collective leaves the values as they are. All ranks make the same calls in
// the same order. While the group lives, a rank that is lost ends all others (common/dist/watchdog.h). One
// that leaves by an exception takes them along, after its own line on stderr.
//
// since 12_ddp
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <span>

#include "common/dist/transport.h"
#include "common/tensor/tensor.h"

namespace gpt2::dist {

class MpiSession;
class Watchdog;
struct Peer;
struct Introduction;
struct Environment;
class Deadline;

struct GroupOptions {
  int rendezvous_port = 0;                        // where rank 0 listens under torchrun; 0: MASTER_PORT + 1
  std::chrono::milliseconds meeting_time{60000};  // a rank that does not come within it is missing
  std::chrono::milliseconds init_time{60000};     // the same for MPI_Init, which ranks call first of all
  std::chrono::milliseconds patience{10000};      // a rank that shows no sign of life for so long is lost
};

class ProcessGroup {
 public:
  // The ranks compute on `device`. GPUs: each rank takes one of its own, whether it sees all GPUs of its machine or
  // only some. CPUs: each rank takes its share of the processors as its number of threads, unless OMP_NUM_THREADS is
  // set. Throws if the ranks do not meet in time.
  explicit ProcessGroup(Device device, const GroupOptions& options = {});
  ~ProcessGroup();  // waits for the other ranks to get here
  ProcessGroup(const ProcessGroup&) = delete;
  ProcessGroup& operator=(const ProcessGroup&) = delete;

  int rank() const { return rank_; }
  int world_size() const { return world_size_; }
  int local_rank() const { return local_rank_; }  // among the ranks of this machine
  bool is_master() const { return rank_ == 0; }   // who logs, and writes checkpoints
  Device device() const { return device_; }

  // In place, on contiguous float32 or bf16 tensors on device(); a GPU is not waited for.
  void all_reduce(const Tensor& x) const;  // the sum over all ranks; the same bits on each, and in every run
  void broadcast(const Tensor& x) const;   // rank 0's values

  // A few values on the host: losses, counts.
  void all_reduce(std::span<double> values) const;
  void barrier() const;  // until all ranks are here

  // The mean over all ranks, while this rank computes on; x is left alone until wait(), or what was queued
  // after it.
  void start_average(const Tensor& x) const;
  void wait() const;

  // The same for x of world_size() equal parts: this rank gets the mean of its own part only; the other parts are
  // undefined. And the opposite: each rank's part to all others.   since 17_zero
  void start_average_scatter(const Tensor& x) const;
  void start_all_gather(const Tensor& x) const;

 private:
  void start_with_mpi(const GroupOptions& options);
  void require_all_started(const Environment& environment) const;
  void start_with_torchrun(const Environment& environment, const GroupOptions& options);
  Introduction introduction() const;
  void connect(std::vector<Peer> peers, const Deadline& deadline, const GroupOptions& options);
  void take_gpu();
  void abandon();
  void check(const char* what, const Tensor& x) const;
  void check_parts(const char* what, const Tensor& x) const;

  int rank_ = 0, world_size_ = 1, local_rank_ = 0;
  Device device_;
  int exceptions_;  // in flight when this was made; one more in the destructor is an error of this rank

  // Destroyed from the last to the first.
  std::unique_ptr<MpiSession> mpi_;
  std::unique_ptr<Transport> transport_;  // null: alone
  std::atomic<Transport*> watched_ = nullptr;
  std::unique_ptr<Watchdog> watchdog_;
};

}  // namespace gpt2::dist
