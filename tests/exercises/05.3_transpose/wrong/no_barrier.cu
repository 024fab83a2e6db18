//@fails values | no barrier lies between
//@solution 05.3
__shared__ float tile[kTile][kTile + 1];
for (int i = int(threadIdx.y); i < kTile; i += kRowsAtOnce) {
  const int64_t row = first_row + i, col = first_col + lane;
  if (row < rows && col < cols) tile[i][lane] = x[row * cols + col];
}
for (int i = int(threadIdx.y); i < kTile; i += kRowsAtOnce) {
  const int64_t row = first_row + lane, col = first_col + i;
  if (row < rows && col < cols) y[col * rows + row] = tile[lane][i];
}
//@end
