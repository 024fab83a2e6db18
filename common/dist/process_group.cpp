#include "common/dist/process_group.h"

#include <fmt/core.h>
#include <omp.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <future>
#include <optional>
#include <thread>

#include "common/base/error.h"
#include "common/base/os.h"
#include "common/dist/environment.h"
#include "common/dist/mpi_transport.h"
#include "common/dist/nccl_transport.h"
#include "common/dist/peers.h"
#include "common/dist/watchdog.h"

namespace gpt2::dist {
namespace {

Values values_of(const Tensor& x) {
  void* data = x.dtype() == DType::bf16 ? static_cast<void*>(x.data<bf16>()) : x.data<float>();
  return {data, x.numel(), x.dtype()};
}

Socket listen_on(const std::string& host, int port, const Deadline& deadline) {
  Socket listener = Socket::listen(host, port, deadline);
  require(listener.defined(), "rank 0: cannot listen on port {}: {}; --rendezvous-port takes another port",
          port, std::strerror(errno));
  return listener;
}

// Ends this process at the deadline unless it is destroyed before. MPI_Init waits for ever for a rank that has left
// before it called MPI_Init, and cannot be interrupted. mpirun ends the others only if that rank failed; with --help,
// say, it did not.
class Alarm {
 public:
  explicit Alarm(const Deadline& deadline) : thread_([this, deadline] { watch(deadline); }) {}
  ~Alarm() {
    off_.set_value();
    thread_.join();
  }
  Alarm(const Alarm&) = delete;
  Alarm& operator=(const Alarm&) = delete;

 private:
  void watch(const Deadline& deadline) {
    if (off_.get_future().wait_for(deadline.left()) == std::future_status::ready) return;
    fmt::print(stderr, "{}: not all ranks came to MPI_Init within {} s; their own output says why\n",
               os::program_name(), deadline.seconds());
    std::_Exit(1);
  }

  std::promise<void> off_;
  std::thread thread_;  // the last member: it uses the other
};

// Where rank 0 listens, and the key of this run: MPI tells the others.
struct Invitation {
  char host[256] = "";
  char key[64] = "";
  int port = 0;
};

// Rank 0 takes any free port. On one machine it listens to this machine alone; MPI does not say on which network
// the other machines are, so there it listens to all of them.
Peers meet_with_mpi(const MpiSession& mpi, Introduction self, const Deadline& deadline) {
  const bool one_machine = mpi.local_size() == mpi.world_size();
  Invitation invitation;
  Socket listener;
  if (mpi.rank() == 0) {
    listener = listen_on(one_machine ? kLoopback : "", 0, deadline);
    invitation.port = listener.port();
    std::strncpy(invitation.key, random_key().c_str(), sizeof(invitation.key) - 1);
    std::strncpy(invitation.host, kLoopback, sizeof(invitation.host) - 1);
    if (!one_machine) gethostname(invitation.host, sizeof(invitation.host) - 1);
  }
  mpi.broadcast(&invitation, sizeof(invitation));
  self.key = invitation.key;
  return mpi.rank() == 0 ? meet(listener, self, deadline)
                         : meet(invitation.host, invitation.port, self, deadline);
}

Peers meet_with_torchrun(const Environment& environment, int rendezvous_port, Introduction self,
                         const Deadline& deadline) {
  const int port = rendezvous_port > 0 ? rendezvous_port : environment.master_port + 1;
  require(port <= 65535,
          "MASTER_PORT={}: ranks meet on the port after it; --rendezvous-port takes another port",
          environment.master_port);
  const std::string host = environment.is_one_machine() ? kLoopback : environment.master_addr;
  self.key = environment.key;
  return self.rank == 0 ? meet(listen_on(host, port, deadline), self, deadline)
                        : meet(host, port, self, deadline);
}

}  // namespace

ProcessGroup::ProcessGroup(Device device, const GroupOptions& options)
    : device_(device), exceptions_(std::uncaught_exceptions()) {
  const Environment environment = read_environment();
  try {
    if (environment.launcher == Launcher::mpi) start_with_mpi(options);
    if (environment.launcher == Launcher::torchrun) start_with_torchrun(environment, options);
    require_all_started(environment);
  } catch (...) {
    abandon();
    throw;
  }
}

// Processes that do not meet would each train alone, on the same data, and write the same files.
void ProcessGroup::require_all_started(const Environment& environment) const {
  require(environment.started <= world_size_,
          "{}: {} processes were started, but this one would train alone; {}", environment.started_says,
          environment.started,
          environment.launcher == Launcher::torchrun
              ? "unset RANK and WORLD_SIZE, which are torchrun's"
              : "start them with the mpirun of the MPI library that this program was built with");
}

ProcessGroup::~ProcessGroup() {
  if (std::uncaught_exceptions() > exceptions_) {
    abandon();
  } else {
    barrier();  // while a rank writes the last checkpoint, the others watch over it
  }
}

// Nothing may wait for the other ranks now. They end when they see this one end, after it has printed its
// error; mpirun ends them too, since MPI_Finalize was not called.
void ProcessGroup::abandon() {
  if (watchdog_) watchdog_->fail();
  static_cast<void>(transport_.release());
  static_cast<void>(mpi_.release());
}

void ProcessGroup::start_with_mpi(const GroupOptions& options) {
  const Deadline deadline(options.meeting_time);
  {
    const Alarm alarm{Deadline(options.init_time)};
    mpi_ = std::make_unique<MpiSession>();  // which waits for all ranks
  }
  rank_ = mpi_->rank();
  world_size_ = mpi_->world_size();
  local_rank_ = mpi_->local_rank();
  if (world_size_ == 1) return;
  take_gpu();
  connect(meet_with_mpi(*mpi_, introduction(), deadline), deadline, options);
}

void ProcessGroup::start_with_torchrun(const Environment& environment, const GroupOptions& options) {
  rank_ = environment.rank;
  world_size_ = environment.world_size;
  local_rank_ = environment.local_rank;
  require(
      world_size_ == 1 || device_.is_cuda(),
      "RANK and WORLD_SIZE ask for {} ranks on the CPU, which talk by MPI: {}start them with mpirun -n {}",
      world_size_, environment.started > 1 ? "unset them, and " : "", world_size_);
  if (world_size_ == 1 && !device_.is_cuda()) return;
  take_gpu();
  const Deadline deadline(options.meeting_time);
  Peers peers;
  if (world_size_ > 1) {
    peers = meet_with_torchrun(environment, options.rendezvous_port, introduction(), deadline);
  }
  connect(std::move(peers), deadline, options);
}

Introduction ProcessGroup::introduction() const {
  return {.key = "",
          .rank = rank_,
          .world_size = world_size_,
          .gpu = device_.is_cuda() ? identity_of_gpu(device_.index) : ""};
}

void ProcessGroup::connect(Peers peers, const Deadline& deadline, const GroupOptions& options) {
  std::vector<char> id(nccl_id_bytes());
  if (device_.is_cuda()) {
    if (rank_ == 0) id = make_nccl_id();
    dist::broadcast(peers, rank_, id.data(), id.size(), deadline);
  }
  watchdog_ = std::make_unique<Watchdog>(rank_, std::move(peers), options.patience, [this] {
    Transport* transport = watched_;
    return transport == nullptr ? std::string() : transport->error();
  });
  if (device_.is_cuda()) {
    transport_ = make_nccl_transport(device_, rank_, world_size_, id);
  } else {
    if (std::getenv("OMP_NUM_THREADS") == nullptr)
      omp_set_num_threads(std::min(mpi_->threads(), omp_get_max_threads()));
    transport_ = make_mpi_transport(*mpi_);
  }
  watched_ = transport_.get();
}

// A launcher shows each rank all GPUs of the machine (mpirun, torchrun) or some that are its own (Slurm). Both come
// out right when the ranks count on from GPU 0 again where they run out; meet() refuses ranks that share one.
void ProcessGroup::take_gpu() {
  if (world_size_ == 1 || !device_.is_cuda()) return;
  require(device_.index == 0, "--device {}: each rank takes a GPU of its own; give --device cuda",
          to_string(device_));
  device_.index = local_rank_ % cuda_device_count();
}

void ProcessGroup::check(const char* what, const Tensor& x) const {
  require(x.dtype() != DType::i32 && x.is_contiguous() && x.device() == device_,
          "{}: expected contiguous float32 or bf16 values on {}", what, to_string(device_));
}

void ProcessGroup::all_reduce(const Tensor& x) const {
  check("all_reduce", x);
  if (!transport_) return;
  transport_->start_all_reduce(values_of(x), Reduce::sum);
  transport_->wait();
}

void ProcessGroup::broadcast(const Tensor& x) const {
  check("broadcast", x);
  x.storage()->count_write();
  if (transport_) transport_->broadcast(values_of(x));
}

void ProcessGroup::all_reduce(std::span<double> values) const {
  if (transport_) transport_->all_reduce(values);
}

void ProcessGroup::barrier() const {
  double nothing = 0;
  all_reduce(std::span(&nothing, 1));
}

void ProcessGroup::start_average(const Tensor& x) const {
  check("start_average", x);
  if (transport_) transport_->start_all_reduce(values_of(x), Reduce::mean);
}

void ProcessGroup::check_parts(const char* what, const Tensor& x) const {
  check(what, x);
  require(x.numel() % world_size_ == 0, "{}: {} values cannot be divided into equal parts for {} ranks", what,
          x.numel(), world_size_);
}

void ProcessGroup::start_average_scatter(const Tensor& x) const {
  check_parts("start_average_scatter", x);
  if (transport_) transport_->start_reduce_scatter(values_of(x), Reduce::mean);
}

void ProcessGroup::start_all_gather(const Tensor& x) const {
  check_parts("start_all_gather", x);
  x.storage()->count_write();
  if (transport_) transport_->start_all_gather(values_of(x));
}

void ProcessGroup::wait() const {
  if (transport_) transport_->wait();
}

}  // namespace gpt2::dist
