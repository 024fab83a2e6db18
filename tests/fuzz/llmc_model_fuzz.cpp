// libFuzzer target: a model file of llm.c.
#include <vector>

#include "common/nn/llmc_model.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace gpt2;
  fuzz::parse([&] {
    const auto file = std::as_bytes(std::span(data, size));
    const nn::LlmcModel model = nn::parse_llmc_model(file, fuzz::kName);
    fuzz::check(model.config.n_embd % model.config.n_head == 0);
    size_t total = 0;
    for (const SafetensorsEntry& entry : model.entries) {
      total += entry.bytes.size();
      // Whatever has passed can be read: every byte of it is there.
      std::vector<float> values(static_cast<size_t>(entry.numel()));
      read_float32(entry, values);
    }
    fuzz::check(total < size);
  });
  return 0;
}
