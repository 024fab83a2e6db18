#include "common/app/mfu.h"

#include <nlohmann/json.hpp>
#include <regex>

#include "common/base/error.h"

namespace gpt2::app {

double flops_per_token(const nn::Module& model, int64_t T) {
  double weights = 0, attention = 0;
  for (const auto& [name, tensor] : model.named_parameters()) {
    if (tensor->dim() != 2 || name.ends_with("wpe.weight"))
      continue;  // if tied, the output layer is listed as wte
    weights += double(tensor->numel());
    if (name.ends_with("attn.c_attn.weight"))
      attention += double(tensor->numel()) / 3 / double(tensor->size(1));
  }
  return 6 * weights + 12 * attention * double(T);  // attention: L C
}

std::optional<double> peak_flops(const std::string& gpu, const std::string& arithmetic) {
  const auto peaks = nlohmann::json::parse(kGpuPeaks);
  for (const auto& sheet : peaks.at("data sheets")) {
    if (std::regex_match(gpu, std::regex(sheet.at("name").get<std::string>()))) {
      return 1e12 * sheet.at(arithmetic).get<double>();
    }
  }
  const std::string family = "NVIDIA GeForce RTX ";
  const auto& cards = peaks.at("GeForce").at("fp32");
  const auto card = gpu.starts_with(family) ? cards.find(gpu.substr(family.size())) : cards.end();
  if (card == cards.end()) return std::nullopt;
  return 1e12 * card->get<double>() * (arithmetic == "bf16" ? 2 : 1);  // TF32 has the speed of float32
}

Card card_named(const std::string& name) {
  const auto cards = nlohmann::json::parse(kGpuPeaks).at("cards");
  std::string known;
  for (const auto& [key, card] : cards.items()) {
    if (key == "about") continue;
    if (key == name)
      return {card.at("name"), 1e9 * card.at("memory").get<double>(),
              1e12 * card.at("bandwidth").get<double>()};
    known += (known.empty() ? "" : ", ") + key;
  }
  fail("--gpu {}: not known; expected one of {}", name, known);
}

}  // namespace gpt2::app
