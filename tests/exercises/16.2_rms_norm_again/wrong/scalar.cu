//@fails memory speed | loads and 0 stores of 16 bytes
//@solution 16.2
const int64_t row = blockIdx.x;
const float factor = r[row];
for (int64_t i = threadIdx.x; i < C; i += kThreads)
  y[row * C + i] = (x[row * C + i] * factor) * (1 + weight[i]);
//@end
