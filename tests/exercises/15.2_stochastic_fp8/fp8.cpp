// Exercise 15.2: numbers of 8 bits, E4M3, and stochastic rounding to them.
#include "fp8.h"

#include <algorithm>
#include <cmath>

#include "tests/exercises/todo.h"

float value_of(uint8_t code) {
  //@solution 15.2 value
  const int e = code >> 3 & 15, m = code & 7;
  if (e == 15 && m == 7) return NAN;
  const float magnitude = e == 0 ? std::ldexp(float(m), -9) : std::ldexp(float(8 + m), e - 10);
  return code & 0x80 ? -magnitude : magnitude;
  //@stub
  //| // TODO(15.2): the sign is bit 7, e are bits 3 to 6, m bits 0 to 2.
  //| return COURSE_TODO("15.2");
  //@end
}

uint8_t rounded(float x, uint32_t random) {
  //@solution 15.2 rounded
  if (std::isnan(x)) return 0x7f;
  const uint8_t sign = std::signbit(x) ? 0x80 : 0;
  const double magnitude = std::min(std::abs(double(x)), 448.0);
  int exponent = 0;
  std::frexp(std::max(magnitude, 0x1p-6), &exponent);  // at least 2^(exponent - 1), less than 2^exponent
  const int unit = exponent - 4;
  const double units = std::ldexp(magnitude, -unit), below = std::floor(units);
  const bool away = double(random) < (units - below) * 0x1p32;
  // With e = unit + 10 >= 1 the codes go on where 8 units begin, across powers of two and from the subnormals on.
  return uint8_t(sign + (unit + 9) * 8 + int(below) + away);
  //@stub
  //| // TODO(15.2): how large is the unit, the distance of neighbours, at x? How many units is x?
  //| return COURSE_TODO("15.2");
  //@end
}
