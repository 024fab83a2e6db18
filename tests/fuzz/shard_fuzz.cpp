// libFuzzer target: the header of a token shard, .bin or .npy.
#include <algorithm>

#include "common/data/shards.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace gpt2;
  fuzz::parse([&] {
    const auto file = std::as_bytes(std::span(data, size));
    const auto beginning = file.first(std::min(size, size_t(kMaxShardHeader)));
    const ShardHeader header = parse_shard_header(beginning, int64_t(size), fuzz::kName);
    fuzz::check(header.size > 0 && header.count >= 0 && header.size + 2 * header.count == int64_t(size));
  });
  return 0;
}
