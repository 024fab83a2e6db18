//@fails p is 1, p is tiny | a row keeps no token
//@solution 03.1 nucleus
std::stable_sort(order.begin(), order.end(), [row](int32_t a, int32_t b) { return row[a] > row[b]; });
double sum = 0;
for (const int32_t id : order) {
  if (row[id] == 0 || sum >= p) break;
  kept.push_back(id);
  sum += double(row[id]);
}
//@end
