// All ranks of a run do the same: compared before step 0, since a difference would hang the run, end it inside MPI, or
// train on with gradients that do not belong together.
//
// since 12_ddp
#pragma once

#include <optional>

#include "common/app/program.h"
#include "common/data/token_loader.h"
#include "common/dist/process_group.h"
#include "common/nn/module.h"

namespace gpt2::training {

// Compares the flags as the program resolved them, the model and its tokenizer, the data and the program itself. A default that
// is given explicitly is no difference, nor is the folder in which the data lie. Throws the same error on all ranks,
// naming what differs and on which rank. Every rank calls it; what only rank 0 does (--log, --count) may differ.
// `val_loader`, if there is one, serves --val-data.
void require_ranks_agree(const dist::ProcessGroup& group, const app::CommandLine& flags,
                         const nn::Module& model, const TokenLoader& loader,
                         const std::optional<TokenLoader>& val_loader = {});

}  // namespace gpt2::training
