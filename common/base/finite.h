// Whether values are finite, at the speed of memory: a checkpoint is looked at before it is written.
//
// since 13_fineweb
#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace gpt2 {

// The index of the first value that is infinite or not a number; -1 if all are finite.
int64_t first_not_finite(std::span<const float> values);

// Throws if a value is not finite; the message begins with `name` and gives the value and its index.
void require_finite(std::span<const float> values, const std::string& name);

}  // namespace gpt2
