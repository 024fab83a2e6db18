// libFuzzer target: a file of HellaSwag, as text or llm.c's.
#include "common/eval/hellaswag.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace gpt2;
  const auto file = std::as_bytes(std::span(data, size));
  fuzz::parse([&] {
    if (!is_llmc_hellaswag(file)) return;
    const auto items = parse_llmc_hellaswag(file, 50257, fuzz::kName);
    fuzz::check(!items.empty());
    for (const HellaSwagTokens& item : items) {
      fuzz::check(!item.context.empty() && item.label >= 0 && item.label < 4);
      for (const auto& ending : item.endings) fuzz::check(!ending.empty());
    }
  });
  fuzz::parse([&] {
    const auto items = parse_hellaswag({reinterpret_cast<const char*>(data), size}, fuzz::kName);
    fuzz::check(!items.empty());
    for (const HellaSwagItem& item : items) {
      fuzz::check(!item.context.empty() && item.label >= 0 && item.label < 4);
      for (const std::string& ending : item.endings) fuzz::check(!ending.empty());
    }
  });
  return 0;
}
