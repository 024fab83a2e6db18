//@fails NaN | adding carried into the exponent
//@solution 05.5
const uint32_t mask = ~uint32_t{0} << dropped;
const uint32_t half = uint32_t{1} << (dropped - 1), last = bits >> dropped & 1;
return std::bit_cast<float>((bits + half - 1 + last) & mask);
//@end
