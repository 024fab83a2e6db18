//@fails any padding | inf - 1e9 is inf
//@solution 09.2 forward
std::vector<float> masked(x, x + Vp);
for (int64_t j = V; j < Vp; ++j) masked[size_t(j)] -= 1e9f;
const double mean = std::accumulate(x, x + V, 0.0) / double(V);
sum += log_sum_exp(masked.data(), Vp) - (1 - smoothing) * x[target[row]] - smoothing * mean;
//@end
