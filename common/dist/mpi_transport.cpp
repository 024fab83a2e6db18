#include "common/dist/mpi_transport.h"

#include "common/base/error.h"
#include "common/base/os.h"
#include "common/tensor/bf16.h"

#ifdef GPT2_HAVE_MPI
#include <mpi.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

namespace gpt2::dist {
namespace {

// Bound to some processors each, ranks use those; otherwise they share what there is.
int share_of_processors(MPI_Comm machine, int local_size) {
  const os::Processors mine = os::allowed_processors();
  os::Processors all;
  MPI_Allreduce(&mine, &all, sizeof(mine), MPI_BYTE, MPI_BOR, machine);
  return std::max(1, std::min(int(mine.count()), int(all.count()) / local_size));
}

constexpr int64_t kArrivals = int64_t{4} << 20;  // values in arrivals_: 16 MB, whatever the number of ranks
constexpr int64_t kBroadcast = int64_t{16} << 20;

// MPI only moves the values, so that bf16 may be any type of 16 bits.
template <class T>
MPI_Datatype type_of() {
  return sizeof(T) == 2 ? MPI_UINT16_T : MPI_FLOAT;
}

void await(std::vector<MPI_Request>& requests) {
  for (int tries = 0;; ++tries) {
    int done = 0;
    MPI_Testall(int(requests.size()), requests.data(), &done, MPI_STATUSES_IGNORE);
    if (done != 0) break;
    if (tries > 100) std::this_thread::sleep_for(std::chrono::microseconds(50));
  }
  requests.clear();
}

class MpiTransport : public Transport {
 public:
  MpiTransport(int rank, int world_size);
  ~MpiTransport() override;

  void start_all_reduce(Values x, Reduce reduce) override { start({x, What::all_reduce, scale_of(reduce)}); }
  void start_reduce_scatter(Values x, Reduce reduce) override {
    start({x, What::reduce_scatter, scale_of(reduce)});
  }
  void start_all_gather(Values x) override { start({x, What::all_gather, 1}); }
  void wait() override;
  void broadcast(Values x) override;
  void all_reduce(std::span<double> values) override;

 private:
  enum class What : uint8_t { all_reduce, reduce_scatter, all_gather };
  struct Task {
    Values x;
    What what;
    float scale;  // of the sums
  };
  float scale_of(Reduce reduce) const { return reduce == Reduce::mean ? 1.0f / float(world_size_) : 1.0f; }

  // Values [begin(rank), begin(rank) + size(rank)) are that rank's slice.
  struct Slices {
    int64_t first, stride,
        whole;    // of rank 0: where it begins; from one rank to the next; its size, and the largest
    int64_t end;  // what lies behind is nobody's

    int64_t begin(int rank) const { return std::min(first + stride * rank, end); }
    int size(int rank) const { return int(std::min(begin(rank) + whole, end) - begin(rank)); }
  };

  void start(const Task& task);
  void work();
  template <class T>
  void work_on(const Task& task, T* x);
  template <class T>
  void reduce(T* x, const Slices& slices, float scale);
  template <class T>
  void gather(T* x, const Slices& slices);
  template <class Body>
  void for_each_other_rank(const Body& body);
  template <class T>
  void add_up(T* slice, int64_t n, float scale) const;

  const int rank_, world_size_;
  const int64_t slice_size_;     // values that a rank adds up at a time
  std::vector<float> arrivals_;  // (world_size, slice_size): the other ranks' values of this rank's slice

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Task> tasks_;  // the first is being worked on
  bool stopping_ = false;
  std::thread thread_;
};

MpiTransport::MpiTransport(int rank, int world_size)
    : rank_(rank),
      world_size_(world_size),
      slice_size_(std::max<int64_t>(kArrivals / world_size, 1024)),
      arrivals_(size_t(slice_size_ * world_size)),
      thread_([this] { work(); }) {}

MpiTransport::~MpiTransport() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void MpiTransport::start(const Task& task) {
  {
    const std::lock_guard lock(mutex_);
    tasks_.push_back(task);
  }
  changed_.notify_all();
}

void MpiTransport::wait() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return tasks_.empty(); });
}

void MpiTransport::work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return stopping_ || !tasks_.empty(); });
    if (tasks_.empty()) return;
    const Task task = tasks_.front();
    lock.unlock();
    task.x.dtype == DType::bf16 ? work_on(task, static_cast<bf16*>(task.x.data))
                                : work_on(task, static_cast<float*>(task.x.data));
    lock.lock();
    tasks_.pop_front();
    changed_.notify_all();
  }
}

// Works on pieces: in each piece every rank has a slice.
template <class T>
void MpiTransport::work_on(const Task& task, T* x) {
  const int64_t n = task.x.n;
  if (task.what == What::all_reduce) {  // a piece is contiguous, and the last one shorter
    for (int64_t at = 0; at < n; at += slice_size_ * world_size_) {
      const int64_t size = std::min(slice_size_ * world_size_, n - at);
      const int64_t slice = (size + world_size_ - 1) / world_size_;
      const Slices slices{at, slice, slice, at + size};
      reduce(x, slices, task.scale);
      gather(x, slices);
    }
    return;
  }
  const int64_t part = n / world_size_;  // a piece is a slice of each part
  for (int64_t at = 0; at < part; at += slice_size_) {
    const Slices slices{at, part, std::min(slice_size_, part - at), n};
    task.what == What::reduce_scatter ? reduce(x, slices, task.scale) : gather(x, slices);
  }
}

// body(rank, requests) begins to send and to receive.
template <class Body>
void MpiTransport::for_each_other_rank(const Body& body) {
  std::vector<MPI_Request> requests;
  for (int rank = 0; rank < world_size_; ++rank) {
    if (rank != rank_) body(rank, requests);
  }
  await(requests);
}

template <class T>
void receive(T* to, int count, int rank, std::vector<MPI_Request>& requests) {
  MPI_Irecv(to, count, type_of<T>(), rank, 0, MPI_COMM_WORLD, &requests.emplace_back());
}

template <class T>
void send(const T* from, int count, int rank, std::vector<MPI_Request>& requests) {
  MPI_Isend(from, count, type_of<T>(), rank, 0, MPI_COMM_WORLD, &requests.emplace_back());
}

// Every rank gets all ranks' values of its slice, and adds them up.
template <class T>
void MpiTransport::reduce(T* x, const Slices& slices, float scale) {
  auto* arrivals = reinterpret_cast<T*>(arrivals_.data());
  for_each_other_rank([&](int rank, auto& requests) {
    receive(arrivals + rank * slice_size_, slices.size(rank_), rank, requests);
    send(x + slices.begin(rank), slices.size(rank), rank, requests);
  });
  add_up(x + slices.begin(rank_), slices.size(rank_), scale);
}

// Every rank gives its slice to all others.
template <class T>
void MpiTransport::gather(T* x, const Slices& slices) {
  for_each_other_rank([&](int rank, auto& requests) {
    receive(x + slices.begin(rank), slices.size(rank), rank, requests);
    send(x + slices.begin(rank_), slices.size(rank_), rank, requests);
  });
}

template <class T>
void MpiTransport::add_up(T* slice, int64_t n, float scale) const {
  const auto* arrivals = reinterpret_cast<const T*>(arrivals_.data());
  constexpr int64_t kBlock = 2048;  // stays in the first-level cache while the ranks are added
  float sums[kBlock];
  for (int64_t at = 0; at < n; at += kBlock) {
    const int64_t size = std::min(kBlock, n - at);
    std::fill_n(sums, size, 0.0f);
    for (int rank = 0; rank < world_size_; ++rank) {
      const T* values = rank == rank_ ? slice + at : arrivals + rank * slice_size_ + at;
      for (int64_t i = 0; i < size; ++i) sums[i] += values[i];
    }
    for (int64_t i = 0; i < size; ++i) slice[at + i] = scale * sums[i];
  }
}

void MpiTransport::broadcast(Values x) {
  wait();
  for (int64_t at = 0; at < x.n; at += kBroadcast) {
    std::vector<MPI_Request> request(1);
    const int n = int(std::min(kBroadcast, x.n - at));
    MPI_Ibcast(x.at(at), n, x.dtype == DType::bf16 ? type_of<bf16>() : type_of<float>(), 0, MPI_COMM_WORLD,
               request.data());
    await(request);
  }
}

void MpiTransport::all_reduce(std::span<double> values) {
  wait();
  const int n = int(values.size());
  std::vector<double> all(values.size() * size_t(world_size_));  // (world_size, n)
  std::vector<MPI_Request> request(1);
  MPI_Iallgather(values.data(), n, MPI_DOUBLE, all.data(), n, MPI_DOUBLE, MPI_COMM_WORLD, request.data());
  await(request);
  for (size_t i = 0; i < values.size(); ++i) {
    values[i] = 0;
    for (size_t at = i; at < all.size(); at += values.size()) values[i] += all[at];
  }
}

}  // namespace

MpiSession::MpiSession() {
  int level = MPI_THREAD_SINGLE;
  MPI_Init_thread(nullptr, nullptr, MPI_THREAD_SERIALIZED,
                  &level);  // several threads call MPI, one at a time
  require(level >= MPI_THREAD_SERIALIZED,
          "MPI: this library serves one thread only; use one built with threads");
  MPI_Comm_rank(MPI_COMM_WORLD, &rank_);
  MPI_Comm_size(MPI_COMM_WORLD, &world_size_);
  MPI_Comm machine = MPI_COMM_NULL;
  MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, rank_, MPI_INFO_NULL, &machine);
  MPI_Comm_rank(machine, &local_rank_);
  MPI_Comm_size(machine, &local_size_);
  threads_ = share_of_processors(machine, local_size_);
  MPI_Comm_free(&machine);
}

MpiSession::~MpiSession() { MPI_Finalize(); }

void MpiSession::broadcast(void* values, size_t bytes) const {
  MPI_Bcast(values, int(bytes), MPI_BYTE, 0, MPI_COMM_WORLD);
}

std::unique_ptr<Transport> make_mpi_transport(const MpiSession& session) {
  return std::make_unique<MpiTransport>(session.rank(), session.world_size());
}

}  // namespace gpt2::dist

#else

namespace gpt2::dist {

MpiSession::MpiSession() {
  fail(
      "started by mpirun, but built without MPI; install it (Debian: libopenmpi-dev), then configure and "
      "build "
      "again");
}
MpiSession::~MpiSession() = default;
void MpiSession::broadcast(void*, size_t) const {}
std::unique_ptr<Transport> make_mpi_transport(const MpiSession&) { return nullptr; }

}  // namespace gpt2::dist

#endif
