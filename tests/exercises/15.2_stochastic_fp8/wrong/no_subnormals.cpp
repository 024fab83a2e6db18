//@fails subnormals | below 2^-6 the neighbours are multiples of 2^-9
//@solution 15.2 rounded
if (std::isnan(x)) return 0x7f;
const uint8_t sign = std::signbit(x) ? 0x80 : 0;
const double magnitude = std::min(std::abs(double(x)), 448.0);
if (magnitude == 0) return sign;
int exponent = 0;
std::frexp(magnitude, &exponent);
const int unit = exponent - 4;
const double units = std::ldexp(magnitude, -unit), below = std::floor(units);
const bool away = double(random) < (units - below) * 0x1p32;
return uint8_t(sign + (((unit + 9) * 8 + int(below) + away) & 127));
//@end
