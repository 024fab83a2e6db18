//@fails one rank | should be one
//@solution 17.1 kept
std::vector<Range> ranges;
const int64_t round = chunk * ranks, rounds = n / round;
for (int64_t r = 0; r < rounds; ++r) ranges.push_back({r * round + rank * chunk, r * round + (rank + 1) * chunk});
if (rounds * round < n) ranges.push_back({rounds * round, n});
return ranges;
//@end
