#include "common/dist/process_group.h"

#include <omp.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <exception>

#include "common/base/error.h"
#include "common/dist/environment.h"
#include "common/dist/mpi_transport.h"
#include "common/dist/nccl_transport.h"
#include "common/dist/peers.h"
#include "common/dist/watchdog.h"

namespace gpt2::dist {
namespace {

Socket listen_on(int port, bool this_machine_alone) {
  Socket listener = Socket::listen(port, this_machine_alone);
  require(listener.defined(), "rank 0: cannot listen on port {}: {}; --rendezvous-port takes another", port,
          std::strerror(errno));
  return listener;
}

// Where rank 0 listens: MPI tells the others.
struct Address {
  char host[256] = "127.0.0.1";
  int port = 0;
};

Peers meet_with_mpi(const MpiSession& mpi) {
  const bool one_machine = mpi.local_size() == mpi.world_size();
  Address address;
  Socket listener;
  if (mpi.rank() == 0) {
    listener = listen_on(0, one_machine);
    address.port = listener.port();
    if (!one_machine) gethostname(address.host, sizeof(address.host) - 1);
  }
  mpi.broadcast(&address, sizeof(address));
  return mpi.rank() == 0 ? meet(listener, mpi.world_size())
                         : meet(address.host, address.port, mpi.rank(), mpi.world_size());
}

Peers meet_with_torchrun(const Environment& environment, int rendezvous_port) {
  const int port = rendezvous_port > 0 ? rendezvous_port : environment.master_port + 1;
  const std::string& host = environment.master_addr;
  const bool one_machine = host == "localhost" || host.starts_with("127.");
  return environment.rank == 0 ? meet(listen_on(port, one_machine), environment.world_size)
                               : meet(host, port, environment.rank, environment.world_size);
}

}  // namespace

ProcessGroup::ProcessGroup(Device device, const GroupOptions& options)
    : device_(device), exceptions_(std::uncaught_exceptions()) {
  const Environment environment = read_environment();
  try {
    if (environment.launcher == Launcher::mpi) start_with_mpi(options);
    if (environment.launcher == Launcher::torchrun) start_with_torchrun(environment, options);
  } catch (...) {
    abandon();
    throw;
  }
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
  mpi_ = std::make_unique<MpiSession>();
  rank_ = mpi_->rank();
  world_size_ = mpi_->world_size();
  local_rank_ = mpi_->local_rank();
  if (world_size_ == 1) return;
  connect(meet_with_mpi(*mpi_), options);
}

void ProcessGroup::start_with_torchrun(const Environment& environment, const GroupOptions& options) {
  rank_ = environment.rank;
  world_size_ = environment.world_size;
  local_rank_ = environment.local_rank;
  require(world_size_ == 1 || device_.is_cuda(),
          "RANK and WORLD_SIZE ask for {} ranks on the CPU, which talk by MPI: start them with mpirun -n {}",
          world_size_, world_size_);
  if (world_size_ == 1 && !device_.is_cuda()) return;
  Peers peers;
  if (world_size_ > 1) peers = meet_with_torchrun(environment, options.rendezvous_port);
  connect(std::move(peers), options);
}

void ProcessGroup::connect(Peers peers, const GroupOptions& options) {
  std::vector<char> id(nccl_id_bytes());
  if (device_.is_cuda()) {
    if (rank_ == 0) id = make_nccl_id();
    dist::broadcast(peers, rank_, id.data(), id.size());
  }
  watchdog_ = std::make_unique<Watchdog>(rank_, std::move(peers), options.patience, [this] {
    Transport* transport = watched_;
    return transport == nullptr ? std::string() : transport->error();
  });
  if (device_.is_cuda()) {
    take_gpu();
    transport_ = make_nccl_transport(device_, rank_, world_size_, id);
  } else {
    if (std::getenv("OMP_NUM_THREADS") == nullptr) omp_set_num_threads(mpi_->threads());
    transport_ = make_mpi_transport(*mpi_);
  }
  watched_ = transport_.get();
}

void ProcessGroup::take_gpu() {
  if (world_size_ == 1) return;
  const int count = cuda_device_count();
  require(device_.index == 0, "--device {}: each rank takes the GPU with its own number; give --device cuda",
          to_string(device_));
  require(local_rank_ < count, "rank {} has no GPU: this machine has {}; start no more ranks than that on it",
          rank_, count);
  device_.index = local_rank_;
}

void ProcessGroup::check(const char* what, const Tensor& x) const {
  require(x.dtype() == DType::f32 && x.is_contiguous() && x.device() == device_,
          "{}: expected contiguous float32 values on {}", what, to_string(device_));
}

void ProcessGroup::all_reduce(const Tensor& x) const {
  check("all_reduce", x);
  if (!transport_) return;
  transport_->start_all_reduce(x.data<float>(), x.numel(), Reduce::sum);
  transport_->wait();
}

void ProcessGroup::broadcast(const Tensor& x) const {
  check("broadcast", x);
  if (transport_) transport_->broadcast(x.data<float>(), x.numel());
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
  if (transport_) transport_->start_all_reduce(x.data<float>(), x.numel(), Reduce::mean);
}

void ProcessGroup::wait() const {
  if (transport_) transport_->wait();
}

}  // namespace gpt2::dist
