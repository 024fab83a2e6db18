// Exercise 02.1: a reader for files of which every byte may be a lie.
#include "reader.h"

#include <algorithm>
#include <cstring>
#include <string_view>
#include <utility>

#include "common/base/error.h"
#include "header.h"
#include "tests/exercises/todo.h"

using namespace gpt2;

namespace {

const std::map<std::string, int64_t> kBytesOfValue{
    {"F32", 4}, {"F16", 2}, {"BF16", 2}, {"I64", 8}, {"U8", 1}};

// Throws unless the tensor has a known dtype, and as many bytes as its shape needs; they must be among the
// `size` bytes of all tensors.
void check_tensor(const Description& tensor, int64_t size) {
  //@solution 02.1 tensor
  const auto value = kBytesOfValue.find(tensor.dtype);
  require(value != kBytesOfValue.end(), "tensor {}: unknown dtype {}", tensor.name, tensor.dtype);
  require(0 <= tensor.begin && tensor.begin <= tensor.end && tensor.end <= size,
          "tensor {}: bytes {} to {} are not among the {} bytes of the tensors", tensor.name, tensor.begin,
          tensor.end, size);
  int64_t needed = value->second;
  for (const int64_t dimension : tensor.shape) {
    // Divides, since the product may be beyond 2^63.
    require(dimension >= 0 && (dimension == 0 || needed <= size / dimension),
            "tensor {}: a dimension of {} is negative, or needs more than the {} bytes of the tensors",
            tensor.name, dimension, size);
    needed *= dimension;
  }
  require(needed == tensor.end - tensor.begin, "tensor {}: its shape needs {} bytes, but it has {}",
          tensor.name, needed, tensor.end - tensor.begin);
  //@stub
  //| // TODO(02.1): require(condition, "tensor {}: ...", tensor.name) throws if the condition is false.
  //| COURSE_TODO("02.1");
  //@end
}

// Throws unless each of the `size` bytes belongs to exactly one tensor. Each tensor has passed check_tensor.
void check_cover(std::vector<Description> tensors, int64_t size) {
  //@solution 02.1 cover
  std::sort(tensors.begin(), tensors.end(), [](const Description& a, const Description& b) {
    return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);  // an empty tensor before the one behind it
  });
  int64_t at = 0;
  for (const Description& tensor : tensors) {
    require(tensor.begin == at, "tensor {}: it begins at byte {}, but those before it end at {}", tensor.name,
            tensor.begin, at);
    at = tensor.end;
  }
  require(at == size, "{} bytes behind the last tensor belong to none", size - at);
  //@stub
  //| // TODO(02.1)
  //| COURSE_TODO("02.1");
  //@end
}

}  // namespace

std::map<std::string, TensorView> read_tensors(std::span<const std::byte> file) {
  //@solution 02.1 file
  uint64_t length = 0;
  require(file.size() >= sizeof length, "{} bytes are too few for a file of tensors", file.size());
  const auto rest = file.first(file.size() - sizeof length);
  std::memcpy(&length, rest.data() + rest.size(), sizeof length);
  require(length <= rest.size(), "a header of {} bytes in a file of {}", length, file.size());
  const auto data = rest.first(rest.size() - length), header = rest.last(length);
  //@stub
  //| // TODO(02.1): read the length of the header, and find the bytes of the tensors and the header.
  //| COURSE_TODO("02.1");
  //| const std::span<const std::byte> data{}, header{};
  //@end
  std::vector<Description> found =
      parse_header({reinterpret_cast<const char*>(header.data()), header.size()});
  std::map<std::string, TensorView> tensors;
  for (const Description& tensor : found) {
    check_tensor(tensor, int64_t(data.size()));
    const auto bytes = data.subspan(size_t(tensor.begin), size_t(tensor.end - tensor.begin));
    tensors[tensor.name] = {tensor.dtype, tensor.shape, bytes};
  }
  check_cover(std::move(found), int64_t(data.size()));
  return tensors;
}
