//@fails whole sectors | they must write neighbouring values of y
//@solution 05.3
for (int i = int(threadIdx.y); i < kTile; i += kRowsAtOnce) {
  const int64_t row = first_row + i, col = first_col + lane;
  if (row < rows && col < cols) y[col * rows + row] = x[row * cols + col];
}
//@end
