//@fails small updates | the same random bits at every step
//@solution 06.3 random
const uint64_t group = uint64_t(i) / 4;
const PhiloxWords words = philox({uint32_t(group), uint32_t(group >> 32), 0, 0}, seed);
const uint32_t all[4] = {words.a, words.b, words.c, words.d};
return all[i % 4];
//@end
