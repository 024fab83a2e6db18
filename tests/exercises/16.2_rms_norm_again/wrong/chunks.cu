//@fails memory speed | neighbouring threads should have neighbouring pieces
//@solution 16.2
const int64_t row = blockIdx.x;
const float factor = r[row];
const int64_t part = ceil_div(ceil_div(C, kThreads), N) * N;
for (int64_t i = threadIdx.x * part; i < min(C, (threadIdx.x + 1) * part); i += N) {
  Piece<N> piece = load_piece(x + row * C, i, C);
  const Piece<N> w = load_piece(weight, i, C);
  for (int k = 0; k < N; ++k) piece[k] = (piece[k] * factor) * (1 + w[k]);
  store_piece(y + row * C, i, C, piece);
}
//@end
