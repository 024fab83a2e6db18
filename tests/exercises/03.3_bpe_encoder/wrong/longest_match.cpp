//@fails few tokens | you take the longest token that fits
//@solution 03.3
std::vector<int32_t> ids;
for (size_t i = 0; i < text.size();) {
  size_t size = text.size() - i;
  while (rank_of(text.substr(i, size), ranks) == kNone) --size;
  ids.push_back(rank_of(text.substr(i, size), ranks));
  i += size;
}
return ids;
//@end
