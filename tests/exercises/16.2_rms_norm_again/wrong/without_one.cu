//@fails the same bits | the factor is 1 + w
//@solution 16.2
const int64_t row = blockIdx.x;
const float factor = r[row];
for (int64_t i = threadIdx.x * N; i < C; i += kThreads * N) {
  Piece<N> piece = load_piece(x + row * C, i, C);
  const Piece<N> w = load_piece(weight, i, C);
  for (int k = 0; k < N; ++k) piece[k] = (piece[k] * factor) * w[k];
  store_piece(y + row * C, i, C, piece);
}
//@end
