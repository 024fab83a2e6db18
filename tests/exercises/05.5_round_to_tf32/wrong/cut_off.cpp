//@fails ties | you cut the bits off
//@solution 05.5
return std::bit_cast<float>(bits & ~uint32_t{0} << dropped);
//@end
