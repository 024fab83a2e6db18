// Exercise 12.2: a test that tells a right data-parallel loop from faulty ones.
#include <fmt/format.h>

#include <cmath>

#include "subject.h"
#include "tests/exercises/todo.h"

namespace {

bool near(double a, double b) { return std::abs(a - b) <= 1e-9; }

// The usual test: three ranks print the first loss that one rank prints for the same batches.
std::string check_first_loss() {
  const Trained one = train({.ranks = 1, .micro_batches = 6}),
                three = train({.ranks = 3, .micro_batches = 2});
  return near(one.losses[0], three.losses[0]) ? "" : "the first losses differ";
}

//@solution 12.2
// Three ranks must do what one rank does with the same batches, and average once a step.
std::string compare(double max_norm) {
  const Settings alone{.ranks = 1, .micro_batches = 6, .steps = 3, .max_norm = max_norm};
  const Settings together{.ranks = 3, .micro_batches = 2, .steps = 3, .max_norm = max_norm};
  const Trained expected = train(alone), trained = train(together);
  for (size_t rank = 0; rank < trained.weights.size(); ++rank) {
    for (size_t i = 0; i < expected.weights[0].size(); ++i) {
      if (!near(trained.weights[rank][i], expected.weights[0][i]))
        return fmt::format("max_norm {}: weight {} of rank {} differs from a single rank's", max_norm, i,
                           rank);
    }
  }
  if (trained.rounds != together.steps) return fmt::format("{} rounds in 3 steps", trained.rounds);
  return "";
}
//@stub
//@end

}  // namespace

std::string check_training() {
  //@solution 12.2 check
  std::string complaint = check_first_loss();
  if (complaint.empty()) complaint = compare(/*max_norm=*/0);
  if (complaint.empty()) complaint = compare(/*max_norm=*/0.1);  // below every norm, so that it clips
  return complaint;
  //@stub
  //| // TODO(12.2): compare the weights with those of a single rank on the same batches, and count the rounds.
  //| COURSE_TODO("12.2");
  //| return check_first_loss();
  //@end
}
