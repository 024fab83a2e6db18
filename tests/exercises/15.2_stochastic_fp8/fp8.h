#pragma once

#include <cstdint>

// The number of an E4M3 code; NaN for 0x7f and 0xff.
float value_of(uint8_t code);

// The code of a neighbour of x: if x is the part p of the way from the neighbour towards 0 to the one away from 0, the latter
// if random < p 2^32. Saturates at 448. NaN becomes 0x7f or 0xff.
uint8_t rounded(float x, uint32_t random);
