//@fails no second reduction | is computed again: the forward pass has kept r
//@solution 16.2
const int64_t row = blockIdx.x;
float squares = 0;
for (int64_t i = 0; i < C; ++i) squares += x[row * C + i] * x[row * C + i];
const float factor = 1 / float(sqrt(double(squares) / double(C) + 1e-5)) + 0 * r[row];
for (int64_t i = threadIdx.x * N; i < C; i += kThreads * N) {
  Piece<N> piece = load_piece(x + row * C, i, C);
  const Piece<N> w = load_piece(weight, i, C);
  for (int k = 0; k < N; ++k) piece[k] = (piece[k] * factor) * (1 + w[k]);
  store_piece(y + row * C, i, C, piece);
}
//@end
