//@fails all 256 numbers | without the 1
//@solution 15.2 value
const int e = code >> 3 & 15, m = code & 7;
if (e == 15 && m == 7) return NAN;
const float magnitude = std::ldexp(float(8 + m), e - 10);
return code & 0x80 ? -magnitude : magnitude;
//@end
