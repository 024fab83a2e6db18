//@fails kept ids | the rows keep
//@solution 03.1 nucleus
(void)p;
std::stable_sort(order.begin(), order.end(), [row](int32_t a, int32_t b) { return row[a] > row[b]; });
kept.assign(order.begin(), order.begin() + 10);
//@end
