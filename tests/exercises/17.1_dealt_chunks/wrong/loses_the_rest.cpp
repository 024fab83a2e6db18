//@fails the rest | which belongs to every rank
//@solution 17.1 kept
std::vector<Range> ranges;
for (int64_t r = 0; r < n / (chunk * ranks); ++r) {
  const int64_t begin = (r * ranks + rank) * chunk;
  ranges.push_back({begin, begin + chunk});
}
return ranges;
//@end
