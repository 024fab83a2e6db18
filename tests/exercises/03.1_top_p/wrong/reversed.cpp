//@fails ties | the kept ids are
//@solution 03.1 nucleus
std::sort(order.begin(), order.end(), [row](int32_t a, int32_t b) {
  return row[a] > row[b] || (row[a] == row[b] && a > b);  // as sorting in ascending order and reversing does
});
double sum = 0;
for (const int32_t id : order) {
  if (row[id] == 0 || (!kept.empty() && sum >= p)) break;
  kept.push_back(id);
  sum += double(row[id]);
}
//@end
