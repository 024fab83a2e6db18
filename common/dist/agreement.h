// Ranks compare what they are about to do. A rank with other flags, other data or another program would make the run
// hang in a collective, end it inside MPI, or, worst, train on with gradients that do not belong together.
//
// since 12_ddp
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "common/dist/process_group.h"

namespace gpt2::dist {

using Settings =
    std::vector<std::pair<std::string, std::string>>;  // name -> value; the names of flags with "--"

// The setting that the first difference is about if ranks run different programs.
inline constexpr const char* kProgram = "the program";

// Every rank calls it with its own settings. If they differ, throws the same error on all ranks:
//   ranks differ: --max-lr is 0.001 on rank 0, 0.0001 on rank 1; start all ranks with the same flags, data and build
// Costs two small collectives if they do not.
void require_same_on_all_ranks(const ProcessGroup& group, const Settings& settings);

// The difference between ranks, of which settings[rank] has the settings: "--max-lr is 0.001 on rank 0, 0.0001 on
// rank 1". Empty if all are equal. Names at most three settings, then how many there are; if kProgram differs, only that.
std::string difference(const std::vector<Settings>& settings);

}  // namespace gpt2::dist
