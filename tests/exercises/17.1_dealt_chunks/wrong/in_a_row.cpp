//@fails whole rounds | its chunks lie in a row
//@solution 17.1 kept
std::vector<Range> ranges;
const int64_t each = n / (chunk * ranks) * chunk;
if (each > 0) ranges.push_back({rank * each, rank * each + each});
if (each * ranks < n) ranges.push_back({each * ranks, n});
return ranges;
//@end
