#pragma once

#include <cstdint>
#include <vector>

struct Range {
  int64_t begin, end;  // values of the block
};

// What a rank keeps of a block of n values of which whole rounds of chunks are dealt to the ranks.
std::vector<Range> kept(int64_t n, int64_t chunk, int64_t rank, int64_t ranks);

// The value of the block that is stored at place i, if the values of `ranges` are stored one behind the other.
int64_t place(const std::vector<Range>& ranges, int64_t i);

// How many of the values of `ranges` lie below `end` in the block.
int64_t decayed(const std::vector<Range>& ranges, int64_t end);
