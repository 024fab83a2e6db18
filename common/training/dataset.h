// What a run trains on, and what its loss is measured on: a text or token shards, cut apart if need be.
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

// The text of --data; empty if it names shards, whose texts nobody has.
std::string read_text(const app::Options& options);

// Opens --data, whose text is `text`, and --val-data. Without the latter a text's last tenth is for validation; shards
// have to have their own.
Dataset open_dataset(const app::Options& options, const RunOptions& run, const std::string& text,
                     const Tokenizer& tokenizer, int64_t vocab_size, const dist::ProcessGroup& group);

// A loader for validation, which serves the data in order; none without data. Throws if they do not fill a batch.
std::optional<TokenLoader> open_val_loader(TokenSources val, TokenLoader::Settings settings);

// This rank's items of --hellaswag; none without the flag. Prints how many items had to be cut or skipped.
std::optional<HellaSwag> open_hellaswag(const RunOptions& run, const Tokenizer& tokenizer, int64_t block_size,
                                        const dist::ProcessGroup& group);

}  // namespace gpt2::training
