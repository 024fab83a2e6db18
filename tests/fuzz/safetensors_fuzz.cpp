// libFuzzer target: a safetensors file.
#include <cstring>
#include <vector>

#include "common/data/safetensors.h"
#include "tests/fuzz/fuzz.h"

namespace {

using namespace gpt2;

void parse_file(std::span<const std::byte> file) {
  fuzz::parse([&] {
    size_t total = 0;
    for (const SafetensorsEntry& entry : parse_safetensors(file, fuzz::kName).entries) {
      total += entry.bytes.size();
      // Whatever has passed can be read: every byte of it is there.
      const bool is_float =
          entry.dtype == "F32" || entry.dtype == "F64" || entry.dtype == "F16" || entry.dtype == "BF16";
      std::vector<float> values(is_float ? static_cast<size_t>(entry.numel()) : 0);
      if (is_float) read_float32(entry, values);
    }
    fuzz::check(total < file.size());
  });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto input = std::as_bytes(std::span(data, size));
  parse_file(input);
  // Again as a header and 16 bytes of data, with the length that the fuzzer would have to guess.
  const uint64_t length = size;
  std::vector<std::byte> file(sizeof length + size + 16);
  std::memcpy(file.data(), &length, sizeof length);
  if (size > 0) std::memcpy(file.data() + sizeof length, data, size);
  parse_file(file);
  return 0;
}
