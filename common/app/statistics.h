// Two numbers that say at a glance whether a tensor looks as it should.
//
// since 01_module
#pragma once

#include <cmath>
#include <span>
#include <utility>

namespace gpt2::app {

// Mean and (population) standard deviation, summed in double; NaN where a value is NaN or there is none.
inline std::pair<double, double> mean_and_std(std::span<const float> values) {
  double sum = 0, squares = 0;
  for (const double value : values) sum += value;
  const double mean = sum / double(values.size());
  for (const double value : values) squares += (value - mean) * (value - mean);
  return {mean, std::sqrt(squares / double(values.size()))};
}

}  // namespace gpt2::app
