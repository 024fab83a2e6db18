//@fails exact values | a carry, or dropped bits, made a number
//@solution 06.3 round
const uint32_t bits = bits_of(x), dropped = (uint32_t{1} << (23 - kept)) - 1;
return float_of((bits + (random & dropped)) & ~dropped);
//@end
