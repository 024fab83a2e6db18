//@fails a view that is not aligned | each can be read in one instruction
//@solution 06.4 kernel
const int64_t i = first_of_thread<N>();
Piece<N> piece = load_piece(x, i, n);
for (float& value : piece.values) value = value / (1 + expf(-value));
store_piece(y, i, n, piece);
//@end
