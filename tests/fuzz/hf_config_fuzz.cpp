// libFuzzer target: a config.json.
#include "common/nn/hf_config.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace gpt2;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  fuzz::parse([&] {
    HfConfig config = parse_hf_config(text, fuzz::kName);
    fuzz::check(config.n_head > 0 && config.n_embd % config.n_head == 0);
    // nn::load has turned these into weights, so they are not written.
    config.n_inner = {};
    config.scale_attn_weights = HfConfig().scale_attn_weights;
    config.scale_attn_by_inverse_layer_idx = HfConfig().scale_attn_by_inverse_layer_idx;
    fuzz::check(parse_hf_config(to_json(config), fuzz::kName) == config);
  });
  return 0;
}
