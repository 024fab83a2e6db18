//@fails mean of 100,000 roundings | up must be as likely as
//@solution 06.3 round
const uint32_t bits = bits_of(x), dropped = (uint32_t{1} << (23 - kept)) - 1;
const bool is_nan = (bits & 0x7fffffff) > 0x7f800000;
return is_nan ? x : float_of((bits + (random % 2 == 1 ? dropped : 0)) & ~dropped);
//@end
