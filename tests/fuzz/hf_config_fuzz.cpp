// libFuzzer target: a config.json.
#include "common/nn/hf_config.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace gpt2;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  fuzz::parse([&] {
    const HfConfig config = parse_hf_config(text, fuzz::kName);
    fuzz::check(config.n_head > 0 && config.n_embd % config.n_head == 0);
    fuzz::check(parse_hf_config(to_json(config), fuzz::kName) == config);
  });
  return 0;
}
