#include "tests/executor/queue.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <utility>

namespace executor {
namespace {

bool is_ready(const Task& task) {
  return std::all_of(task.after.begin(), task.after.end(), [](const auto& before) { return before->done; });
}

template <class T, size_t N>
T one_of(const T (&values)[N], std::mt19937_64& random) {
  return values[random() % N];
}

}  // namespace

void Queue::restart(uint64_t seed, int rank) {
  run_all();
  seed_ = seed;
  random_.seed(seed * 1000003 + uint64_t(rank));
  eagerness_ = one_of({0.0, 0.3, 0.6, 0.9}, random_);
  persistence_ = one_of({0.0, 0.5, 0.9, 0.99}, random_);
}

void Queue::add(const std::shared_ptr<Lane>& lane, std::shared_ptr<Task> task) {
  if (lane->last) task->after.push_back(lane->last);
  if (lane->tasks.empty()) lanes_.push_back(lane);
  lane->tasks.push_back(task);
  lane->last = std::move(task);
}

void Queue::mark_needed(const std::shared_ptr<Task>& target) {
  std::vector<Task*> open{target.get()};
  while (!open.empty()) {
    Task& task = *open.back();
    open.pop_back();
    if (task.done || std::exchange(task.needed, true)) continue;
    for (const auto& before : task.after) open.push_back(before.get());
  }
}

bool Queue::run_one() {
  std::vector<std::shared_ptr<Lane>> candidates;
  std::shared_ptr<Lane> lane;
  for (const auto& each : lanes_) {
    const Task& first = *each->tasks.front();
    if ((first.with_peers && !first.needed) || !is_ready(first)) continue;
    candidates.push_back(each);
    if (each.get() == preferred_) lane = each;
  }
  if (candidates.empty()) return false;
  if (!lane || std::bernoulli_distribution(1 - persistence_)(random_))
    lane = candidates[random_() % candidates.size()];
  preferred_ = lane.get();
  const auto task = lane->tasks.front();
  if (task->work) task->work();
  task->done = true;
  task->work = nullptr;
  task->after.clear();
  lane->tasks.pop_front();
  if (lane->last == task) lane->last = nullptr;
  if (lane->tasks.empty()) lanes_.erase(std::find(lanes_.begin(), lanes_.end(), lane));
  return true;
}

void Queue::run_some() {
  while (std::bernoulli_distribution(eagerness_)(random_) && run_one()) continue;
}

void Queue::run_until_done(std::shared_ptr<Task> target) {
  if (!target) return;
  mark_needed(target);
  while (!target->done) {
    if (run_one()) continue;
    std::fputs("executor: the queue is stuck: no task may run\n", stderr);
    std::abort();
  }
}

void Queue::run_all() {
  while (!lanes_.empty()) run_until_done(lanes_.front()->last);
}

Queue& queue() {
  static auto& queue = *[] {
    const char* seed = std::getenv("EXECUTOR_STREAM_SEED");
    auto* made = new Queue;  // outlives every global that frees memory
    made->restart(seed == nullptr ? 0 : std::strtoull(seed, nullptr, 10), 0);
    return made;
  }();
  return queue;
}

}  // namespace executor
