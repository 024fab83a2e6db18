// Exercise 10.3: gradient clipping.
#include "clip.h"

#include <cmath>

#include "common/base/error.h"
#include "tests/exercises/todo.h"

using namespace gpt2;

double clip_gradients(std::vector<std::vector<float>>& gradients, double max_norm) {
  //@solution 10.3
  double squares = 0;
  for (size_t block = 0; block < gradients.size(); ++block) {
    for (const float value : gradients[block]) {
      require(std::isfinite(value), "block {} holds the gradient {}", block, value);
      squares += double(value) * double(value);
    }
  }
  const double norm = std::sqrt(squares);
  if (norm <= max_norm) return norm;
  for (auto& block : gradients) {
    for (float& value : block) value = float(value * (max_norm / norm));
  }
  return norm;
  //@stub
  //| // TODO(10.3): the norm of all blocks together, the error, the factor.
  //| return COURSE_TODO("10.3");
  //@end
}
