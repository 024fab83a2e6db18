#pragma once

#include <vector>

#include "bigram.h"

// The number of positions that have a target, in all micro-batches together.
int64_t count_targets(const std::vector<MicroBatch>& micro_batches);

// Runs forward and backward for each micro-batch of this rank, one at a time. `all_targets`, at least 1, is
// the number of targets on all ranks together. Afterwards the caller averages the gradients over the ranks,
// and the results of this function: these means must be the gradient and the value of the mean loss over all
// targets.
double accumulate(Bigram& model, const std::vector<MicroBatch>& micro_batches, int64_t all_targets,
                  int ranks);
