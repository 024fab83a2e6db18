// Writes the embedded corpus to standard output: tales [--bytes N] [--seed N] Or stories with four possible
// endings each, in the format of HellaSwag: tales --hellaswag N [--seed N]
#include <limits>
#include <string>

#include "common/app/program.h"
#include "common/base/error.h"
#include "common/tales/endings.h"
#include "common/tales/tales.h"

using namespace gpt2;

static void write_stream(uint64_t bytes, uint64_t seed) {
  constexpr size_t kChunk = 1 << 16;
  Tales stream(seed);
  std::string chunk;
  for (uint64_t left = bytes; left > 0; left -= chunk.size()) {
    chunk.clear();
    while (chunk.size() < kChunk) chunk.append(stream.next_story()).append(Tales::kSeparator);
    if (chunk.size() > left) chunk.resize(left);
    app::write_output(chunk);
  }
}

static void write_endings(int64_t items, uint64_t seed) {
  Endings endings(seed);
  for (int64_t i = 0; i < items; ++i) app::write_output(to_json(endings.next(), uint64_t(i)) + "\n");
}

int main(int argc, char** argv) {
  return app::run("tales", argc, argv, [](app::CommandLine& flags) {
    constexpr int64_t kEndless = -1;
    int64_t bytes = kEndless, items = 0;
    uint64_t seed = 1337;
    flags.group("Text");
    flags.add("--bytes", bytes, kEndless, std::numeric_limits<int64_t>::max(), "bytes to write; -1: endless");
    flags
        .add("--hellaswag", items, 0, std::numeric_limits<int64_t>::max(),
             "instead of text, write N stories with four endings to choose from, in HellaSwag's JSON Lines "
             "format; "
             "none of them is in the text of the same seed")
        .excludes({"--bytes"});
    flags.add("--seed", seed, "seed of the stories");
    flags.parse();
    if (items > 0) return write_endings(items, seed);
    write_stream(bytes == kEndless ? std::numeric_limits<uint64_t>::max() : bytes, seed);
  });
}
