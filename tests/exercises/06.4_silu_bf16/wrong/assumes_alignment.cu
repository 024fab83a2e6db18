//@fails values | misaligned: the thread accesses 16 bytes
//@solution 06.4 kernel
const int64_t i = first_of_thread<N>();
if (i + N > n) {
  for (int64_t k = i; k < n; ++k) y[k] = x[k] / (1 + expf(-x[k]));
  return;
}
Piece<N> piece = load_whole<N>(x + i);
for (float& value : piece.values) value = value / (1 + expf(-value));
store_whole(y + i, rounded<bf16>(piece));
//@end
