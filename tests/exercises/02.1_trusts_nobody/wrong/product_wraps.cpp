//@fails huge numbers | signed integer overflow
//@solution 02.1 tensor
const auto value = kBytesOfValue.find(tensor.dtype);
require(value != kBytesOfValue.end(), "tensor {}: unknown dtype {}", tensor.name, tensor.dtype);
require(0 <= tensor.begin && tensor.begin <= tensor.end && tensor.end <= size, "tensor {}: offsets {} to {}",
        tensor.name, tensor.begin, tensor.end);
int64_t needed = value->second;
for (const int64_t dimension : tensor.shape) {
  require(dimension >= 0, "tensor {}: a dimension of {}", tensor.name, dimension);
  needed *= dimension;
}
require(needed == tensor.end - tensor.begin, "tensor {}: its shape needs {} bytes", tensor.name, needed);
//@end
