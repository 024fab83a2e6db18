// libFuzzer target: a .npy file.
#include "common/data/npy.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace gpt2;
  fuzz::parse([&] {
    const NpyArray array = parse_npy(std::as_bytes(std::span(data, size)), fuzz::kName);
    fuzz::check(array.bytes.size() < size);
    int64_t product = array.descr == "<u2" ? 2 : array.descr == "<i8" ? 8 : 4;
    for (const int64_t extent : array.shape) product *= extent;
    fuzz::check(product == static_cast<int64_t>(array.bytes.size()));
  });
  return 0;
}
