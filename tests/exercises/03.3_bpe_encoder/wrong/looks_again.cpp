//@fails one megabyte | far too slow
//@solution 03.3
std::vector<size_t> begins(text.size() + 1);  // of the tokens, and the end of the text
for (size_t i = 0; i <= text.size(); ++i) begins[i] = i;
while (true) {
  int32_t lowest = kNone;
  size_t best = 0;
  for (size_t i = 0; i + 2 < begins.size(); ++i) {
    const int32_t rank = rank_of(text.substr(begins[i], begins[i + 2] - begins[i]), ranks);
    if (rank != kNone && (lowest == kNone || rank < lowest)) lowest = rank, best = i;
  }
  if (lowest == kNone) break;
  begins.erase(begins.begin() + long(best) + 1);
}
std::vector<int32_t> ids;
for (size_t i = 0; i + 1 < begins.size(); ++i)
  ids.push_back(rank_of(text.substr(begins[i], begins[i + 1] - begins[i]), ranks));
return ids;
//@end
