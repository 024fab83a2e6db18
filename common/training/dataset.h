// The training and validation data of a run: a text, which is split if necessary, or token shards.
//
// since 13_fineweb
#pragma once

#include <optional>
#include <string>

#include "common/app/options.h"
#include "common/data/shards.h"
#include "common/data/token_loader.h"
#include "common/dist/process_group.h"
#include "common/eval/hellaswag.h"
#include "common/text/tokenizer.h"
#include "common/training/run_options.h"

namespace gpt2::training {

struct Dataset {
  TokenSources train, val;  // val: empty without --val-every
};

// Returns the text of --data; empty if it names shards, which hold only token ids.
std::string read_text(const app::Options& options);

// Opens --data, whose text is `text`, and --val-data. Without --val-data, the last tenth of a text is for
// validation; with shards, validation requires --val-data.
Dataset open_dataset(const app::Options& options, const RunOptions& run, const std::string& text,
                     const Tokenizer& tokenizer, int64_t vocab_size, const dist::ProcessGroup& group);

// Returns a validation loader, which serves the data in order; none if there is no data. Throws if the data
// does not fill a batch.
std::optional<TokenLoader> open_val_loader(TokenSources val, TokenLoader::Settings settings);

// Returns this rank's items of --hellaswag; none without the flag. Prints how many items were truncated or
// skipped.
std::optional<HellaSwag> open_hellaswag(const RunOptions& run, const Tokenizer& tokenizer, int64_t block_size,
                                        const dist::ProcessGroup& group);

}  // namespace gpt2::training
