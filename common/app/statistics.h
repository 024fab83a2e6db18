// Mean and standard deviation: a quick check of a tensor's values.
//
// since 01_module
#pragma once

#include <cmath>
#include <span>
#include <utility>

namespace gpt2::app {

// Mean and (population) standard deviation, summed in double; NaN if a value is NaN or there are no values.
inline std::pair<double, double> mean_and_std(std::span<const float> values) {
  double sum = 0, squares = 0;
  for (const double value : values) sum += value;
  const double mean = sum / double(values.size());
  for (const double value : values) squares += (value - mean) * (value - mean);
  return {mean, std::sqrt(squares / double(values.size()))};
}

}  // namespace gpt2::app
