//@fails queries, keys and values | the first two thirds of the file swapped
//@solution 02.2 heads
const int64_t third = kqv.numel() / 3;
for (const int64_t part : {1, 0, 2})
  to.insert(to.end(), from.begin() + part * third, from.begin() + (part + 1) * third);
//@end
