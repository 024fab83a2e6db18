// Exercise 05.5: rounding as the hardware does it before a product.
#include "rounding.h"

#include <bit>
#include <cstdint>

#include "tests/exercises/todo.h"

float round_mantissa(float x, int kept) {
  const uint32_t bits = std::bit_cast<uint32_t>(x);  // sign, 8 bits of exponent, 23 bits of mantissa
  const int dropped = 23 - kept;
  //@solution 05.5
  const uint32_t mask = ~uint32_t{0} << dropped;
  const bool is_nan = (bits & 0x7fffffff) > 0x7f800000;
  if (is_nan)
    return std::bit_cast<float>((bits | 0x00400000) & mask);  // rounding might carry into the exponent
  // Adds just below half a unit; with an odd last bit exactly half, so that a tie goes up to the even neighbour.
  const uint32_t half = uint32_t{1} << (dropped - 1), last = bits >> dropped & 1;
  return std::bit_cast<float>((bits + half - 1 + last) & mask);
  //@stub
  //| // TODO(05.5): change the bits, then return std::bit_cast<float>(...).
  //| return COURSE_TODO("05.5");
  //@end
}
