//@fails values | which belong to other tensors
//@solution 06.4 kernel
const int64_t i = first_of_thread<N>();
if (i >= n) return;
Piece<N> piece = load_piece(x, i, n);
for (float& value : piece.values) value = value / (1 + expf(-value));
store_piece(y, i, ceil_div(n, N) * N, piece);
//@end
