#include "common/app/memory_check.h"

#include <algorithm>
#include <utility>

namespace gpt2::app {

// Doubles the number until a step does not fit, so that no size overflows, however large B is.
int64_t largest_batch(int64_t B, size_t available, const std::function<size_t(int64_t B)>& step_bytes) {
  int64_t fits = 0, too_many = 1;
  while (too_many < B && step_bytes(too_many) <= available) fits = std::exchange(too_many, 2 * too_many);
  too_many = std::min(too_many, B);
  while (too_many - fits > 1) {
    const int64_t middle = fits + (too_many - fits) / 2;
    (step_bytes(middle) <= available ? fits : too_many) = middle;
  }
  return fits;
}

void require_memory(Device device, int64_t B, int64_t T, const std::function<size_t(int64_t B)>& step_bytes) {
  const size_t one = step_bytes(1), available = backend(device).available_memory_bytes();
  // B sequences take at most B times the memory of one. If that is too large a number, it is only estimated, from so many
  // sequences that the heap's whole segments do not matter.
  constexpr size_t kLargest = size_t{1} << 60;
  constexpr int64_t kMany = 1024;
  const bool is_countable = size_t(B) <= kLargest / one;
  const double needed = is_countable ? double(step_bytes(B)) : double(B) / kMany * double(step_bytes(kMany));
  if (needed <= double(available)) return;
  const int64_t fits = largest_batch(B, available, step_bytes);
  fail("--batch {} x --seq {}: a training step needs {:.1f} GB of memory, {} has {:.1f} GB free; {}", B, T,
       needed / 1e9, backend(device).name(), double(available) / 1e9,
       fits > 0 ? fmt::format("the largest --batch that fits is {}", fits)
                : "not even --batch 1 fits, try a smaller --seq or --model");
}

void print_memory(const MemoryPlan& plan) {
  const auto megabytes = [](size_t bytes) { return fmt::format("{:.1f}", double(bytes) / 1e6); };
  fmt::print(
      "a step takes {} MB: weights {}, gradients {}, {}moments {}, activations {}, backward pass {}, free "
      "{}\n",
      megabytes(plan.total()), megabytes(plan.weights), megabytes(plan.gradients),
      plan.master_weights > 0 ? fmt::format("master weights {}, ", megabytes(plan.master_weights)) : "",
      megabytes(plan.moments), megabytes(plan.activations), megabytes(plan.working), megabytes(plan.slack));
}

}  // namespace gpt2::app
