#pragma once

#include <cstdint>
#include <vector>

// y[t] = the mean of x[0], ..., x[t], for each channel; x and y: (T, C), row by row.
std::vector<float> mean_of_past(const std::vector<float>& x, int64_t T, int64_t C);
