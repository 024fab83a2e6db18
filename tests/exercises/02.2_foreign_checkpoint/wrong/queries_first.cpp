//@fails queries, keys and values | has keys where queries belong
//@solution 02.2 heads
const int64_t block = kqv.numel() / (3 * n_head);
for (const int64_t part : {0, 1, 2}) {
  for (int64_t head = 0; head < n_head; ++head) {
    const auto begin = from.begin() + (3 * head + part) * block;
    to.insert(to.end(), begin, begin + block);
  }
}
//@end
