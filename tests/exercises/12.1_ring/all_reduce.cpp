// Exercise 12.1: the sum over the ranks of a ring.
#include "all_reduce.h"

#include "tests/exercises/todo.h"

namespace {

// Part i of x, which is cut into `ranks` parts. Part -1 is the last one, part `ranks` is part 0, and so on.
std::span<float> part(std::span<float> x, int64_t i, int64_t ranks) {
  //@solution 12.1 part
  const auto n = int64_t(x.size());
  i = (i + ranks) % ranks;
  const int64_t begin = n * i / ranks, end = n * (i + 1) / ranks;
  return x.subspan(size_t(begin), size_t(end - begin));
  //@stub
  //| // TODO(12.1): x.subspan(begin, length). The lengths differ by one if the ranks do not divide x.size().
  //| return COURSE_TODO("12.1");
  //@end
}

}  // namespace

void all_reduce(std::span<float> x, Neighbours& ring) {
  const int64_t rank = ring.rank(), ranks = ring.ranks();
  //@solution 12.1 rounds
  // Part i starts at rank i, goes around the ring and collects; it is complete at rank i - 1.
  std::vector<float> arrived;
  for (int64_t step = 0; step < ranks - 1; ++step) {
    ring.send(part(x, rank - step, ranks));
    const std::span<float> sum = part(x, rank - step - 1, ranks);
    arrived.resize(sum.size());
    ring.receive(arrived);
    for (size_t i = 0; i < sum.size(); ++i) sum[i] += arrived[i];
  }
  // The complete parts go around once more.
  for (int64_t step = 0; step < ranks - 1; ++step) {
    ring.send(part(x, rank - step + 1, ranks));
    ring.receive(part(x, rank - step, ranks));
  }
  //@stub
  //| // TODO(12.1): two rounds of ranks - 1 steps: ring.send(part), ring.receive(part).
  //| COURSE_TODO("12.1");
  //@end
}
