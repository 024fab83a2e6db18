// Exercise 17.1: a block of values, dealt to ranks in chunks.
#include "deal.h"

#include <algorithm>

#include "tests/exercises/todo.h"

std::vector<Range> kept(int64_t n, int64_t chunk, int64_t rank, int64_t ranks) {
  //@solution 17.1 kept
  std::vector<Range> ranges;
  const auto add = [&](int64_t begin, int64_t end) {
    if (begin == end) return;
    if (!ranges.empty() && ranges.back().end == begin)
      ranges.back().end = end;
    else
      ranges.push_back({begin, end});
  };
  const int64_t round = chunk * ranks, rounds = n / round;
  for (int64_t r = 0; r < rounds; ++r) {
    const int64_t begin = r * round + rank * chunk;
    add(begin, begin + chunk);
  }
  add(rounds * round, n);
  return ranges;
  //@stub
  //| // TODO(17.1): whole rounds of `ranks` chunks, then the rest. Ranges that touch are one range.
  //| return COURSE_TODO("17.1");
  //@end
}

int64_t place(const std::vector<Range>& ranges, int64_t i) {
  //@solution 17.1 place
  for (const Range& range : ranges) {
    const int64_t size = range.end - range.begin;
    if (i < size) return range.begin + i;
    i -= size;
  }
  return -1;
  //@stub
  //| // TODO(17.1): the ranges are stored one behind the other.
  //| return COURSE_TODO("17.1");
  //@end
}

int64_t decayed(const std::vector<Range>& ranges, int64_t end) {
  //@solution 17.1 decayed
  int64_t values = 0;
  for (const Range& range : ranges)
    values += std::clamp<int64_t>(end - range.begin, 0, range.end - range.begin);
  return values;
  //@stub
  //| // TODO(17.1): `end` may lie before, in or behind each range.
  //| return COURSE_TODO("17.1");
  //@end
}
