#include "common/dist/mpi_transport.h"

#include "common/base/error.h"
#include "common/base/os.h"

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

  void start_all_reduce(float* x, int64_t n, Reduce reduce) override;
  void wait() override;
  void broadcast(float* x, int64_t n) override;
  void all_reduce(std::span<double> values) override;

 private:
  struct Task {
    float* x;
    int64_t n;
    Reduce reduce;
  };

  void work();
  void work_on(const Task& task);
  void reduce_piece(float* x, int64_t n, float scale);
  void add_up(float* slice, int64_t n, float scale) const;

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

void MpiTransport::start_all_reduce(float* x, int64_t n, Reduce reduce) {
  {
    const std::lock_guard lock(mutex_);
    tasks_.push_back({x, n, reduce});
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
    work_on(task);
    lock.lock();
    tasks_.pop_front();
    changed_.notify_all();
  }
}

void MpiTransport::work_on(const Task& task) {
  const float scale = task.reduce == Reduce::mean ? 1.0f / float(world_size_) : 1.0f;
  const int64_t piece = slice_size_ * world_size_;
  for (int64_t at = 0; at < task.n; at += piece) {
    reduce_piece(task.x + at, std::min(piece, task.n - at), scale);
  }
}

void MpiTransport::reduce_piece(float* x, int64_t n, float scale) {
  const int64_t share = (n + world_size_ - 1) / world_size_;
  const auto begin = [&](int rank) { return std::min(n, share * rank); };
  const auto size = [&](int rank) { return int(begin(rank + 1) - begin(rank)); };
  std::vector<MPI_Request> requests;
  const auto receive = [&](float* to, int count, int rank) {
    MPI_Irecv(to, count, MPI_FLOAT, rank, 0, MPI_COMM_WORLD, &requests.emplace_back());
  };
  const auto send = [&](const float* from, int count, int rank) {
    MPI_Isend(from, count, MPI_FLOAT, rank, 0, MPI_COMM_WORLD, &requests.emplace_back());
  };
  const auto for_each_other_rank = [&](const auto& body) {
    for (int rank = 0; rank < world_size_; ++rank) {
      if (rank != rank_) body(rank);
    }
    await(requests);
  };
  for_each_other_rank([&](int rank) {  // every rank gets all values of its slice
    receive(arrivals_.data() + rank * slice_size_, size(rank_), rank);
    send(x + begin(rank), size(rank), rank);
  });
  add_up(x + begin(rank_), size(rank_), scale);
  for_each_other_rank([&](int rank) {  // and gives away their sums
    receive(x + begin(rank), size(rank), rank);
    send(x + begin(rank_), size(rank_), rank);
  });
}

void MpiTransport::add_up(float* slice, int64_t n, float scale) const {
  constexpr int64_t kBlock = 2048;  // stays in the first-level cache while the ranks are added
  float sums[kBlock];
  for (int64_t at = 0; at < n; at += kBlock) {
    const int64_t size = std::min(kBlock, n - at);
    std::fill_n(sums, size, 0.0f);
    for (int rank = 0; rank < world_size_; ++rank) {
      const float* values = rank == rank_ ? slice + at : arrivals_.data() + rank * slice_size_ + at;
      for (int64_t i = 0; i < size; ++i) sums[i] += values[i];
    }
    for (int64_t i = 0; i < size; ++i) slice[at + i] = scale * sums[i];
  }
}

void MpiTransport::broadcast(float* x, int64_t n) {
  wait();
  for (int64_t at = 0; at < n; at += kBroadcast) {
    std::vector<MPI_Request> request(1);
    MPI_Ibcast(x + at, int(std::min(kBroadcast, n - at)), MPI_FLOAT, 0, MPI_COMM_WORLD, request.data());
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
