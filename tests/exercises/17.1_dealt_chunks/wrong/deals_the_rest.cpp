//@fails the rest | behind the last whole round
//@solution 17.1 kept
std::vector<Range> ranges;
for (int64_t begin = rank * chunk; begin < n; begin += ranks * chunk)
  ranges.push_back({begin, std::min(begin + chunk, n)});
return ranges;
//@end
