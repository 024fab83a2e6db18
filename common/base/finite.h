// Checks whether values are finite, at memory speed: a checkpoint is checked before it is written.
//
// since 13_fineweb
#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace gpt2 {

// Returns the index of the first infinite or NaN value; -1 if all are finite.
int64_t first_not_finite(std::span<const float> values);

// NaN without its sign, which means nothing, so that messages say nan and never -nan; other values as they are.
float without_nan_sign(float value);

// Throws if a value is not finite; the message begins with `name` and gives the value and its index.
void require_finite(std::span<const float> values, const std::string& name);

}  // namespace gpt2
