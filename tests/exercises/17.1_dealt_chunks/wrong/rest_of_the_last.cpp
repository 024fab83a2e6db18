//@fails the rest | which belongs to every rank
//@solution 17.1 kept
std::vector<Range> ranges;
const int64_t rounds = n / (chunk * ranks);
for (int64_t r = 0; r < rounds; ++r) {
  const int64_t begin = (r * ranks + rank) * chunk;
  ranges.push_back({begin, begin + chunk});
}
if (rank == ranks - 1 && !ranges.empty()) ranges.back().end = n;
return ranges;
//@end
