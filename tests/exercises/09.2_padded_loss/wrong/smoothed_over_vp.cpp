//@fails loss | shared among all
//@solution 09.2 forward
const double mean = std::accumulate(x, x + V, 0.0) / double(Vp);
sum += log_sum_exp(x, V) - (1 - smoothing) * x[target[row]] - smoothing * mean;
//@end
