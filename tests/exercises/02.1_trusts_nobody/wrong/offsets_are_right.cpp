//@fails sizes and offsets | no error; whoever reads these tensors
//@solution 02.1 tensor
const auto value = kBytesOfValue.find(tensor.dtype);
require(value != kBytesOfValue.end(), "tensor {}: unknown dtype {}", tensor.name, tensor.dtype);
int64_t needed = value->second;
for (const int64_t dimension : tensor.shape) needed *= dimension;
require(needed == tensor.end - tensor.begin, "tensor {}: its shape needs {} bytes", tensor.name, needed);
//@end
//@solution 02.1 cover
std::sort(tensors.begin(), tensors.end(), [](const Description& a, const Description& b) {
  return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
});
for (size_t i = 0; i + 1 < tensors.size(); ++i)
  require(tensors[i].end == tensors[i + 1].begin, "tensor {}: it does not begin where the last one ends",
          tensors[i + 1].name);
//@end
