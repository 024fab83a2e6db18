// What the optimizer remembers, in the files of a checkpoint: one file, or one for each rank if the state is divided among
// ranks (common/optim/partition.h). Any number of ranks reads the files of any other.
//
// since 13_fineweb; divided since 17_zero
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/data/safetensors.h"
#include "common/optim/adamw.h"

namespace gpt2::training {

// The name of a rank's file: optimizer.safetensors, or optimizer_00002_of_00004.safetensors for the second of four.
std::string optimizer_file(int rank, int world_size);

// Whether a file has such a name.
bool is_optimizer_file(const std::string& name);

// Writes this rank's part. Returns the file's digest. Throws before it writes a value that is not finite.
uint64_t write_optimizer(const optim::AdamW& optimizer, const std::string& path);

// Restores this rank's part from the files of all ranks that wrote the checkpoint. Throws if they lack a value, or if one
// was written to since it was opened; messages begin with `checkpoint`.
void read_optimizer(const optim::AdamW& optimizer, const std::vector<SafetensorsFile>& files,
                    const std::string& checkpoint);

}  // namespace gpt2::training
