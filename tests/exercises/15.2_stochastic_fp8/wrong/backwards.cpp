//@fails neighbours | of the way from
//@solution 15.2 rounded
if (std::isnan(x)) return 0x7f;
const uint8_t sign = std::signbit(x) ? 0x80 : 0;
const double magnitude = std::min(std::abs(double(x)), 448.0);
int exponent = 0;
std::frexp(std::max(magnitude, 0x1p-6), &exponent);
const int unit = exponent - 4;
const double units = std::ldexp(magnitude, -unit), below = std::floor(units);
const bool away = units > below && double(random) >= (units - below) * 0x1p32;
return uint8_t(sign + (unit + 9) * 8 + int(below) + away);
//@end
