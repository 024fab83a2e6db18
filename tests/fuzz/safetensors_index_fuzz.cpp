// libFuzzer target: a model.safetensors.index.json.
#include <filesystem>

#include "common/data/safetensors.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace gpt2;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  fuzz::parse([&] {
    for (const auto& item : parse_safetensors_index(text, fuzz::kName)) {
      const std::filesystem::path path = std::filesystem::path("folder") / item.second;
      fuzz::check(path.parent_path() == "folder" && path.lexically_normal() == path);
    }
  });
  return 0;
}
