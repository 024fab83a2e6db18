// Work that is queued and has not run yet, and the order in which it runs.
//
// A lane is what a stream is to a GPU: its tasks run one after another. Tasks of different lanes run in any order,
// unless one comes after the other. With seed 0 nothing is queued: every task runs when it is added. With another
// seed, a task runs at some later time, at the latest when somebody waits for it; which task runs next is drawn among
// those that may. How eagerly tasks run, and how long one lane is preferred to the others, is drawn from the seed too,
// since some bugs need a lane that is far behind, others one that is far ahead.
//
// since 12_ddp
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <random>
#include <vector>

namespace executor {

struct Task {
  std::function<void()> work;  // null: only a place in the order
  std::vector<std::shared_ptr<Task>>
      after;                // what has to run before it, its predecessor on the lane included
  bool with_peers = false;  // waits for other processes: runs only if this process waits for it, as on a GPU
  bool needed = false;      // somebody waits for it, or for a task after it
  bool done = false;
};

struct Lane {
  std::deque<std::shared_ptr<Task>> tasks;  // those that have not run
  std::shared_ptr<Task> last;               // the one that was added last; null: none, or it has run
};

class Queue {
 public:
  // Runs what is queued, and begins anew with this order. Ranks of one run have different orders.
  void restart(uint64_t seed, int rank);

  bool runs_at_once() const { return seed_ == 0; }
  bool coin() { return random_() % 2 == 0; }

  void add(const std::shared_ptr<Lane>& lane, std::shared_ptr<Task> task);
  void run_some();                                    // what a GPU may have done in the meantime
  void run_until_done(std::shared_ptr<Task> target);  // null: nothing to do
  void run_all();

 private:
  static void mark_needed(const std::shared_ptr<Task>& target);
  bool run_one();  // false: no task may run

  uint64_t seed_ = 0;
  std::mt19937_64 random_;
  double eagerness_ = 0;                      // the chance that another task runs after each call
  double persistence_ = 0;                    // the chance that the next task comes from the same lane
  std::vector<std::shared_ptr<Lane>> lanes_;  // those with tasks
  const Lane* preferred_ = nullptr;
};

// The queue of this process. Its first order has the seed EXECUTOR_STREAM_SEED.
Queue& queue();

}  // namespace executor
