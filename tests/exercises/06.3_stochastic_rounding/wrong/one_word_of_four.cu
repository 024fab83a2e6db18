//@fails CPU and GPU | four neighbours get the same random bits
//@solution 06.3 random
const uint64_t group = uint64_t(i) / 4;
return philox({uint32_t(group), uint32_t(group >> 32), step, 0}, seed).a;
//@end
