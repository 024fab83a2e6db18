#pragma once

// x rounded to the nearest number that has `kept` of a float's 23 bits of mantissa, ties to even: 10 for TF32, 7 for
// bf16. Infinite where the nearest such number would be too large for a float. A NaN stays a NaN, with its sign and its
// upper `kept` bits of mantissa, of which the first is set.
float round_mantissa(float x, int kept);
