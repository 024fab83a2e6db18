#include "ring.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <string>
#include <thread>

#include "common/base/error.h"

using gpt2::require;

struct Ring {
  struct Rank {
    std::deque<std::vector<float>> inbox;
    bool waits = false, has_ended = false;
    int64_t floats_sent = 0;
  };

  explicit Ring(size_t n) : ranks(n) {}

  int before(int rank) const { return (rank + int(ranks.size()) - 1) % int(ranks.size()); }
  Rank& after(int rank) { return ranks[size_t(rank + 1) % ranks.size()]; }

  // Nobody will ever send again: each rank has ended, or waits for a message that is not there.
  bool is_stuck() const {
    return std::all_of(ranks.begin(), ranks.end(),
                       [](const Rank& rank) { return rank.has_ended || (rank.waits && rank.inbox.empty()); });
  }

  void end(int rank, const std::string& what) {
    const std::lock_guard lock(mutex);
    if (error.empty()) error = what;
    ranks[size_t(rank)].has_ended = true;
    changed.notify_all();
  }

  std::vector<Rank> ranks;
  std::mutex mutex;
  std::condition_variable changed;
  std::string error;  // the first one
};

int Neighbours::ranks() const { return int(ring_.ranks.size()); }

void Neighbours::send(std::span<const float> values) {
  const std::lock_guard lock(ring_.mutex);
  ring_.after(rank_).inbox.emplace_back(values.begin(), values.end());
  ring_.ranks[size_t(rank_)].floats_sent += int64_t(values.size());
  ring_.changed.notify_all();
}

void Neighbours::receive(std::span<float> values) const {
  std::unique_lock lock(ring_.mutex);
  Ring::Rank& own = ring_.ranks[size_t(rank_)];
  own.waits = true;
  ring_.changed.notify_all();
  ring_.changed.wait(lock, [&] { return !own.inbox.empty() || ring_.is_stuck(); });
  require(!own.inbox.empty(), "rank {} waits for a message that rank {} never sends", rank_,
          ring_.before(rank_));
  own.waits = false;
  const std::vector<float> message = std::move(own.inbox.front());
  own.inbox.pop_front();
  require(message.size() == values.size(), "rank {} receives {} values, but rank {} sent {}", rank_,
          values.size(), ring_.before(rank_), message.size());
  std::copy(message.begin(), message.end(), values.begin());
}

Reduced run_ranks(std::vector<std::vector<float>> x,
                  const std::function<void(std::span<float>, Neighbours&)>& work) {
  Ring ring(x.size());
  std::vector<std::thread> threads;
  for (int rank = 0; rank < int(x.size()); ++rank) {
    threads.emplace_back([&, rank] {
      Neighbours neighbours(ring, rank);
      std::string error;
      try {
        work(x[size_t(rank)], neighbours);
      } catch (const std::exception& thrown) {
        error = thrown.what();
      }
      ring.end(rank, error);
    });
  }
  for (std::thread& thread : threads) thread.join();
  require(ring.error.empty(), "{}", ring.error);
  Reduced reduced{std::move(x), {}};
  for (size_t rank = 0; rank < ring.ranks.size(); ++rank) {
    const size_t left = ring.ranks[rank].inbox.size();
    require(left == 0, "rank {} has ended without receiving {} of the messages that were sent to it", rank,
            left);
    reduced.floats_sent.push_back(ring.ranks[rank].floats_sent);
  }
  return reduced;
}
