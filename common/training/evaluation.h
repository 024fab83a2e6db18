// What a run is measured by while it trains: the loss on text that it does not train on, HellaSwag, and samples.
//
// None of it touches the run: the data are read by a loader of their own, samples are drawn with random numbers of their
// own. All ranks measure together, each its share.
//
// since 13_fineweb
#pragma once

#include <functional>
#include <optional>

#include "common/app/log.h"
#include "common/data/token_loader.h"
#include "common/dist/process_group.h"
#include "common/eval/hellaswag.h"
#include "common/training/run_options.h"

namespace gpt2::training {

struct EvaluatedModel {
  std::function<Tensor(const Tensor& ids)> logits;                       // (B, T) -> (B, T, Vp)
  std::function<Tensor(const Tensor& ids, const Tensor& targets)> loss;  // the mean cross entropy
  int64_t vocab_size, block_size;
};

class Evaluation {
 public:
  // val: empty if its loss is not wanted. It is that of its first batches, so many on each rank, or of all; `batches`
  // says how they are shaped and shared.
  Evaluation(const RunOptions& run, EvaluatedModel model, const Tokenizer& tokenizer, TokenSources val,
             const TokenLoader::Settings& batches, int64_t val_batches, const dist::ProcessGroup& group);

  // Measures what is due before this step, or at the end all that is measured at all.
  void operator()(int64_t step, bool is_end, app::Log& log);

 private:
  void print_cut_items() const;
  void require_same_data() const;
  double val_loss();
  HellaSwag::Score hellaswag_score();
  std::string sample() const;

  RunOptions run_;
  EvaluatedModel model_;
  const Tokenizer& tokenizer_;
  const dist::ProcessGroup& group_;
  int64_t max_tokens_;  // at once
  std::optional<TokenLoader> val_;
  int64_t val_batches_ = 0;
  std::optional<HellaSwag> hellaswag_;
};

}  // namespace gpt2::training
