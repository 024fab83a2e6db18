//@fails length of the header | applying non-zero offset
//@solution 02.1 file
uint64_t length = 0;
std::memcpy(&length, file.data() + file.size() - sizeof length, sizeof length);
const auto rest = file.first(file.size() - sizeof length);
require(length <= rest.size(), "a header of {} bytes in a file of {}", length, file.size());
const auto data = rest.first(rest.size() - length), header = rest.last(length);
//@end
