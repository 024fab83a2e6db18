//@fails kept ids | is left out: keep it
//@solution 03.1 nucleus
std::stable_sort(order.begin(), order.end(), [row](int32_t a, int32_t b) { return row[a] > row[b]; });
double sum = 0;
for (const int32_t id : order) {
  sum += double(row[id]);
  if (row[id] == 0 || (!kept.empty() && sum > p)) break;
  kept.push_back(id);
}
//@end
