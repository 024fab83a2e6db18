//@fails subnormals and zeros | numbers near 0 are rounded like the others
//@solution 05.5
const uint32_t mask = ~uint32_t{0} << dropped;
if ((bits & 0x7fffffff) > 0x7f800000) return std::bit_cast<float>((bits | 0x00400000) & mask);
if ((bits & 0x7f800000) == 0) return 0;
const uint32_t half = uint32_t{1} << (dropped - 1), last = bits >> dropped & 1;
return std::bit_cast<float>((bits + half - 1 + last) & mask);
//@end
