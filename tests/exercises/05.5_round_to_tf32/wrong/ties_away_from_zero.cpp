//@fails ties | all ties go away from zero
//@solution 05.5
const uint32_t mask = ~uint32_t{0} << dropped;
if ((bits & 0x7fffffff) > 0x7f800000) return std::bit_cast<float>((bits | 0x00400000) & mask);
return std::bit_cast<float>((bits + (uint32_t{1} << (dropped - 1))) & mask);
//@end
