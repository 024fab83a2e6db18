//@fails one rounding | as if the sigmoid were rounded
//@solution 06.4 kernel
const int64_t i = first_aligned<N>(x) + first_of_thread<N>();
Piece<N> piece = load_piece(x, i, n);
for (float& value : piece.values) {
  const bf16 sigmoid = 1 / (1 + expf(-value));
  value = value * sigmoid;
}
store_piece(y, i, n, piece);
//@end
