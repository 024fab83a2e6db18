// each rank clips its own gradients before they are averaged.
#include "subject.h"

#include "ranks.h"

Trained train(const Settings& settings) {
  Ranks ranks(settings.ranks);
  Trained result;
  int64_t batch = 0;
  for (int step = 0; step < settings.steps; ++step) {
    ranks.zero_grad();
    double loss_accum = 0;
    for (int micro_step = 0; micro_step < settings.micro_batches; ++micro_step) {
      ranks.require_backward_grad_sync = false;
      loss_accum += ranks.forward(batch) / settings.micro_batches;
      ranks.backward(1.0 / settings.micro_batches);
      batch += settings.ranks;
    }
    ranks.clip(settings.max_norm);
    ranks.average();
    ranks.step(settings.learning_rate);
    result.losses.push_back(loss_accum);
  }
  result.weights = ranks.weights();
  result.rounds = ranks.rounds();
  return result;
}
