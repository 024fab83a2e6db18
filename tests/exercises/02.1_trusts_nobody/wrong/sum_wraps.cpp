//@fails length of the header | AddressSanitizer: heap-buffer-overflow
//@solution 02.1 file
uint64_t length = 0;
require(file.size() >= sizeof length, "{} bytes are too few for a file of tensors", file.size());
std::memcpy(&length, file.data() + file.size() - sizeof length, sizeof length);
require(length + sizeof length <= file.size(), "a header of {} bytes in a file of {}", length, file.size());
const auto header_begin = file.size() - sizeof length - length;
const auto data = file.first(header_begin), header = file.subspan(header_begin, length);
//@end
