#include "common/training/evaluation.h"

#include <algorithm>
#include <array>

#include <fmt/core.h>

#include "common/base/digest.h"
#include "common/base/error.h"
#include "common/base/file.h"
#include "common/dist/agreement.h"
#include "common/ops/ops.h"
#include "common/tensor/rows.h"
#include "common/text/sampling.h"
#include "common/text/utf8.h"
#include "common/training/run_settings.h"

namespace gpt2::training {
namespace {

constexpr uint64_t kSampleSeed = 42;  // the video's, as are the prompt and the k of top-k
constexpr const char* kPrompt = "Hello, I'm a language model,";
constexpr int64_t kSampleTokens = 64, kTopK = 50;

// --tokenizer char may not know all of the prompt's characters: then the sample begins with its first one.
std::vector<int32_t> prompt_ids(const Tokenizer& tokenizer) {
  try {
    return tokenizer.encode(kPrompt);
  } catch (const Error&) {
    return {0};
  }
}

bool is_due(int64_t step, int64_t every, bool is_end) { return every > 0 && (is_end || step % every == 0); }

}  // namespace

Evaluation::Evaluation(const RunOptions& run, EvaluatedModel model, const Tokenizer& tokenizer,
                       TokenSources val, const TokenLoader::Settings& batches, int64_t val_batches,
                       const dist::ProcessGroup& group)
    : run_(run),
      model_(std::move(model)),
      tokenizer_(tokenizer),
      group_(group),
      max_tokens_(batches.B * batches.T) {
  if (!val.empty()) {
    TokenLoader::Settings settings = batches;
    settings.order = DataOrder::video;
    try {
      val_.emplace(std::move(val), settings);
    } catch (const Error& error) {
      fail("validation (--val-data, or the last tenth of --data): {}", error.what());
    }
    val_batches_ = std::min(val_batches, val_->batches_per_epoch());
  }
  require(run.hellaswag_every == 0 || !run.hellaswag.empty(),
          "--hellaswag-every: give the file with --hellaswag; ./course data hellaswag fetches it");
  require(run.hellaswag_every > 0 || run.hellaswag.empty(),
          "--hellaswag: say how often it is scored, with --hellaswag-every");
  if (run.hellaswag_every > 0) {
    hellaswag_.emplace(run.hellaswag, tokenizer, model_.block_size, group.rank(), group.world_size());
    print_cut_items();
  }
  require_same_data();
}

// All ranks take part in each measurement, as often as these data last.
void Evaluation::require_same_data() const {
  dist::Settings settings;
  for (const SourceIdentity& source : val_ ? val_->identities() : std::vector<SourceIdentity>()) {
    settings.emplace_back(fmt::format("--val-data (file {})", settings.size() + 1), to_text(source));
  }
  if (hellaswag_) {
    settings.emplace_back("--hellaswag",
                          "a file of digest " + to_hex(digest_of(MappedFile(run_.hellaswag).bytes())));
  }
  dist::require_same_on_all_ranks(group_, settings);
}

void Evaluation::print_cut_items() const {
  std::array<double, 2> sums = {double(hellaswag_->truncated()), double(hellaswag_->skipped())};
  group_.all_reduce(std::span(sums));
  if (sums[0] + sums[1] == 0) return;
  fmt::print(
      "HellaSwag: {} contexts are cut to the model's block size, {} items do not fit and do not count\n",
      sums[0], sums[1]);
}

void Evaluation::operator()(int64_t step, bool is_end, app::Log& log) {
  const NoGrad no_grad;
  if (is_due(step, run_.val_every, is_end)) log.val(step, val_loss());
  if (is_due(step, run_.hellaswag_every, is_end)) log.hellaswag(step, hellaswag_score());
  if (is_due(step, run_.sample_every, is_end) && group_.is_master()) log.sample(step, sample());
  context().counts.reset();  // they are of a step's training
}

double Evaluation::val_loss() {
  val_->reset();
  double sum = 0;
  for (int64_t i = 0; i < val_batches_; ++i) {
    const auto [x, y] = val_->next_batch();
    sum += model_.loss(x, y).item();
  }
  group_.all_reduce(std::span(&sum, 1));
  return sum / double(val_batches_ * group_.world_size());
}

HellaSwag::Score Evaluation::hellaswag_score() {
  const HellaSwag::Score mine =
      hellaswag_->evaluate(model_.logits, model_.vocab_size, max_tokens_, group_.device());
  std::array<double, 3> sums = {double(mine.items), double(mine.correct), double(mine.correct_norm)};
  group_.all_reduce(std::span(sums));
  require(sums[0] > 0, "--hellaswag {}: no item fits into the model's block size {}", run_.hellaswag,
          model_.block_size);
  return {int64_t(sums[0]), int64_t(sums[1]), int64_t(sums[2])};
}

std::string Evaluation::sample() const {
  Generator generator(kSampleSeed);
  const std::vector<int32_t> prompt = prompt_ids(tokenizer_);
  Tensor x = from_vector(prompt, {1, int64_t(prompt.size())}, group_.device());
  for (int64_t i = 0; i < kSampleTokens; ++i) {
    const Tensor logits = model_.logits(last(x, model_.block_size));  // (1, T, Vp)
    const Tensor next = logits.slice(1, logits.size(1) - 1, 1).slice(2, 0, model_.vocab_size);
    const Tensor probs = softmax(next.contiguous().view({1, model_.vocab_size}));
    const auto [topk_probs, topk_indices] = topk(probs, kTopK);
    x = cat(x, gather(topk_indices, multinomial(topk_probs, generator)));
  }
  Utf8Stream stream;
  const std::string text = stream.push(tokenizer_.decode(row(x, 0)));
  return text + stream.finish();
}

}  // namespace gpt2::training
