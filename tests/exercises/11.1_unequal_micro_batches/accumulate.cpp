// Exercise 11.1: gradient accumulation over micro-batches of different lengths.
#include "accumulate.h"

#include "tests/exercises/todo.h"

using namespace gpt2;

int64_t count_targets(const std::vector<MicroBatch>& micro_batches) {
  int64_t targets = 0;
  //@solution 11.1 count
  for (const MicroBatch& batch : micro_batches)
    targets += std::ssize(batch.y) - std::count(batch.y.begin(), batch.y.end(), kNoTarget);
  //@stub
  //| // TODO(11.1): positions without a target do not count.
  //| COURSE_TODO("11.1");
  //@end
  return targets;
}

double accumulate(Bigram& model, const std::vector<MicroBatch>& micro_batches, int64_t all_targets,
                  int ranks) {
  double loss_accum = 0;
  //@solution 11.1 loop
  for (const MicroBatch& batch : micro_batches) {
    const int64_t targets = count_targets({batch});
    if (targets == 0) continue;
    const Tensor loss = model.loss(batch) * (double(targets) / double(all_targets) * ranks);
    loss_accum += loss.item();
    loss.backward();
  }
  //@stub
  //| // TODO(11.1): this is the loop of chapter 11. By what must a loss be multiplied instead?
  //| COURSE_TODO("11.1");
  //| const auto grad_accum_steps = double(micro_batches.size());
  //| for (const MicroBatch& batch : micro_batches) {
  //|   Tensor loss = model.loss(batch);
  //|   loss = loss / grad_accum_steps;
  //|   loss_accum += loss.item();
  //|   loss.backward();
  //| }
  //@end
  return loss_accum;
}
