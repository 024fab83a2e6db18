// Exercise 13.1: a loader for any number of ranks that can be resumed at any step.
#include "loader.h"

#include <algorithm>

#include "tests/exercises/todo.h"

int64_t Loader::windows(int64_t epoch, int64_t shard) const {
  const int64_t T = settings_.T, begin = first_window(settings_.seed, epoch, shard, T);
  //@solution 13.1 windows
  return std::max<int64_t>(shards_.size(shard) - begin - 1, 0) / T;
  //@stub
  //| // TODO(13.1): how many windows of T + 1 ids are there, if they begin at begin, begin + T, ...?
  //| return COURSE_TODO("13.1");
  //@end
}

int64_t Loader::rows(int64_t epoch) const {
  int64_t rows = 0;
  for (int64_t shard = 0; shard < shards_.count(); ++shard) rows += windows(epoch, shard);
  return rows;
}

Loader::State Loader::after(State at, int64_t n) const {
  //@solution 13.1 after
  at.position += n;
  for (int64_t left = rows(at.epoch); at.position >= left; left = rows(at.epoch)) {
    at.position -= left;
    ++at.epoch;
  }
  return at;
  //@stub
  //| // TODO(13.1): an epoch has rows(epoch) rows, not the same number in each.
  //| return COURSE_TODO("13.1");
  //@end
}

Window Loader::read(State at) const {
  //@solution 13.1 read
  int64_t window = shuffled(settings_.seed, at.epoch, rows(at.epoch), at.position);
  int64_t shard = 0;
  for (; window >= windows(at.epoch, shard); ++shard) window -= windows(at.epoch, shard);
  const int64_t first = first_window(settings_.seed, at.epoch, shard, settings_.T);
  return shards_.read(shard, first + window * settings_.T, settings_.T + 1);
  //@stub
  //| // TODO(13.1): the row's window by shuffled(...), its shard, where it begins; then shards_.read.
  //| return COURSE_TODO("13.1");
  //@end
}

std::vector<Window> Loader::next_batch() {
  std::vector<Window> batch;
  //@solution 13.1 next
  for (int64_t b = 0; b < settings_.B; ++b)
    batch.push_back(read(after(state_, settings_.rank * settings_.B + b)));
  state_ = after(state_, settings_.B * settings_.world);
  //@stub
  //| // TODO(13.1): B windows for this rank; then the state, which all ranks have in common.
  //| COURSE_TODO("13.1");
  //@end
  return batch;
}

void Loader::restore(const State& state) {
  //@solution 13.1 restore
  state_ = state;
  //@stub
  //| COURSE_TODO("13.1");
  //@end
}
