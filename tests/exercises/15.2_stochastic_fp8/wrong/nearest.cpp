//@fails mean of 20,000 roundings | is to come out with the probability p
//@solution 15.2 rounded
if (std::isnan(x)) return 0x7f;
const uint8_t sign = std::signbit(x) ? 0x80 : 0;
const double magnitude = std::min(std::abs(double(x)), 448.0);
int exponent = 0;
std::frexp(std::max(magnitude, 0x1p-6), &exponent);
const int unit = exponent - 4;
const double units = std::ldexp(magnitude, -unit);
(void)random;
return uint8_t(sign + (unit + 9) * 8 + int(std::nearbyint(units)));
//@end
