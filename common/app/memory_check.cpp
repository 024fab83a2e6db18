#include "common/app/memory_check.h"

namespace gpt2::app {
namespace {

// The largest number of sequences, below B, with which a step fits; 0 if one sequence does not fit.
int64_t largest_batch(int64_t B, size_t available, const std::function<size_t(int64_t B)>& step_bytes) {
  int64_t fits = 0, too_many = B;
  while (too_many - fits > 1) {
    const int64_t middle = fits + (too_many - fits) / 2;
    (step_bytes(middle) <= available ? fits : too_many) = middle;
  }
  return fits;
}

}  // namespace

void require_memory(Device device, int64_t B, int64_t T, const std::function<size_t(int64_t B)>& step_bytes) {
  const size_t needed = step_bytes(B), available = backend(device).available_memory_bytes();
  if (needed <= available) return;
  const int64_t fits = largest_batch(B, available, step_bytes);
  fail("--batch {} x --seq {}: a training step needs {:.1f} GB of memory, {} has {:.1f} GB free; {}", B, T,
       double(needed) / 1e9, backend(device).name(), double(available) / 1e9,
       fits > 0 ? fmt::format("the largest --batch that fits is {}", fits)
                : "not even --batch 1 fits, try a smaller --seq or --model");
}

}  // namespace gpt2::app
