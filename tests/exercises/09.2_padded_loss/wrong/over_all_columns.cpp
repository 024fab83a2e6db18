//@fails loss | the padding is in the sum of the softmax
//@solution 09.2 forward
const double mean = std::accumulate(x, x + V, 0.0) / double(V);
sum += log_sum_exp(x, Vp) - (1 - smoothing) * x[target[row]] - smoothing * mean;
//@end
