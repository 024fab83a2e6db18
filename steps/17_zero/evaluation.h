// The evaluations during training, as in the video from 3:10:21 on: validation loss, HellaSwag, samples.
//
// Nothing here affects training: validation has its own loader, sampling its own random number generator.
#pragma once

#include <algorithm>
#include <array>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "common/app/inputs.h"
#include "common/app/log.h"
#include "common/dist/process_group.h"
#include "common/tensor/rows.h"
#include "common/text/sampling.h"
#include "common/text/utf8.h"
#include "common/training/dataset.h"
#include "gpt2.h"

// The mean loss over the first val_loss_steps batches of every rank, or over all batches if there are fewer.
inline double val_loss(GPT& model, TokenLoader& val_loader, int64_t val_loss_steps,
                       const dist::ProcessGroup& group) {
  val_loader.reset();
  val_loss_steps = std::min(val_loss_steps, val_loader.batches_per_epoch());
  double val_loss_accum = 0;
  for (int64_t i = 0; i < val_loss_steps; ++i) {
    const auto [x, y] = val_loader.next_batch();
    const auto [logits, loss] = model(x, y);
    val_loss_accum += loss.item();
  }
  group.all_reduce(std::span(&val_loss_accum, 1));
  return val_loss_accum / double(val_loss_steps * group.world_size());
}

// Counts the items whose right ending the model chose, by sum and by mean, on all ranks. `hellaswag` has this
// rank's items (training::open_hellaswag() divides them). A batch has at most batch_tokens tokens.
inline HellaSwag::Score hellaswag_score(GPT& model, const HellaSwag& hellaswag, int64_t batch_tokens,
                                        const dist::ProcessGroup& group) {
  double num_total = 0, num_correct = 0, num_correct_norm = 0;
  for (const HellaSwag::Batch& batch : hellaswag.batches(batch_tokens)) {  // n items, four rows each
    const Tensor tokens = batch.tokens(group.device());                    // (4n, T)
    const Tensor logits = model.padded_logits(tokens);                     // (4n, T, padded_vocab_size)
    for (const auto& prediction : batch.predictions(logits, model.config.vocab_size)) {
      num_total += 1;
      num_correct += prediction.by_sum == prediction.label;
      num_correct_norm += prediction.by_mean == prediction.label;
    }
  }
  std::array<double, 3> sums = {num_total, num_correct, num_correct_norm};
  group.all_reduce(std::span(sums));
  return {int64_t(sums[0]), int64_t(sums[1]), int64_t(sums[2])};
}

// Adds max_tokens ids below num_ids to each row of x (B, T): the loop of 03_sampling.
inline Tensor generate(GPT& model, Tensor x, int64_t num_ids, int64_t max_tokens, int64_t top_k,
                       Generator& generator) {
  for (int64_t i = 0; i < max_tokens; ++i) {
    const Tensor logits = model(last(x, model.config.block_size));   // (B, T, vocab_size)
    const Tensor last_row = logits.slice(1, logits.size(1) - 1, 1);  // (B, 1, vocab_size)
    const Tensor next = last_row.slice(2, 0, num_ids).contiguous().view({x.size(0), num_ids});
    const Tensor probs = softmax(next);                          // (B, num_ids)
    const auto [topk_probs, topk_indices] = topk(probs, top_k);  // (B, k)
    const Tensor ix = multinomial(topk_probs, generator);        // (B, 1)
    const Tensor xcol = gather(topk_indices, ix);                // (B, 1)
    x = cat(x, xcol);
  }
  return x;
}

// The evaluations: on which data, and how often.
struct Evaluation {
  const training::RunOptions& options;
  const Tokenizer& tokenizer;
  const dist::ProcessGroup& group;
  std::optional<TokenLoader> val_loader;  // none: no validation
  int64_t val_loss_steps;                 // batches per rank
  std::optional<HellaSwag> hellaswag;     // none: no HellaSwag
  int64_t batch_tokens;                   // at most, in a HellaSwag batch

  // Runs the evaluations that are due before this step; after the last step, all that are switched on.
  void operator()(GPT& model, int64_t step, bool is_end, app::Log& log) {
    const auto is_due = [&](int64_t every) { return every > 0 && (is_end || step % every == 0); };
    const NoGrad no_grad;
    if (is_due(options.val_every)) log.val(step, val_loss(model, *val_loader, val_loss_steps, group));
    if (is_due(options.hellaswag_every))
      log.hellaswag(step, hellaswag_score(model, *hellaswag, batch_tokens, group));
    if (is_due(options.sample_every) && group.is_master()) log.sample(step, sample(model));
    // --count shows the calls of the last training step, which log.step() has kept; those above do not count.
    context().counts.reset();
  }

  // 64 tokens after the video's prompt, with the video's seed.
  std::string sample(GPT& model) const {
    Generator generator(42);
    const std::vector<int32_t> prompt = app::encode_prompt(tokenizer, "Hello, I'm a language model,");
    const Tensor x = from_vector(prompt, {1, int64_t(prompt.size())}, group.device());
    const int64_t num_ids = num_drawable_ids(tokenizer, model.config.vocab_size);
    const Tensor y = generate(model, x, num_ids, 64, /*top_k=*/50, generator);
    return to_utf8(tokenizer.decode(row(y, 0)));
  }
};
