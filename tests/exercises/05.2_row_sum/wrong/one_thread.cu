//@fails all threads work | share the row out
//@solution 05.2
if (thread > 0) return;
float sum = 0;
for (int64_t i = 0; i < cols; ++i) sum += row[i] * row[i];
sums[blockIdx.x] = sum;
//@end
