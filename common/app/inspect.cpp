#include "common/app/inspect.h"

#include <algorithm>
#include <cmath>

#include "common/app/output.h"
#include "common/app/statistics.h"
#include "common/base/finite.h"
#include "common/data/png.h"
#include "common/data/safetensors.h"
#include "common/nn/checkpoints.h"
#include "common/nn/pretrained.h"
#include "common/text/utf8.h"

namespace gpt2::app {
namespace {

constexpr std::string_view kHead = "lm_head.weight";

// Values to bytes: the smallest is black, the largest white.
std::vector<uint8_t> grey_scale(const std::vector<float>& values) {
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  const float offset = *low, range = std::max(*high - *low, 1e-30f);
  std::vector<uint8_t> pixels;
  pixels.reserve(values.size());
  for (const float value : values) pixels.push_back(uint8_t(std::lround(255 * (value - offset) / range)));
  return pixels;
}

// Old files contain masks stored as bytes: they have no mean.
bool is_float(const SafetensorsEntry& entry) {
  return entry.dtype == "F32" || entry.dtype == "F64" || entry.dtype == "F16" || entry.dtype == "BF16";
}

bool is_position_embedding(const SafetensorsEntry& entry) {
  return entry.name.ends_with("wpe.weight") && entry.shape.size() == 2;
}

}  // namespace

void print_parameters(const nn::Module& model) {
  const auto parameters = model.named_parameters();
  int64_t head_tensors = 0, head = 0;
  for (const auto& [name, tensor] : parameters) {
    fmt::print("{:40} {}\n", name, to_string(tensor->shape()));
    if (name == kHead) head_tensors = 1, head = tensor->numel();
  }
  const int64_t tensors = int64_t(parameters.size()), n = model.num_parameters();
  fmt::print("{} tensors, {} parameters; without {} {} tensors, {} parameters\n", tensors, n, kHead,
             tensors - head_tensors, n - head);
}

std::vector<float> finite_values(const Tensor& logits) {
  std::vector<float> values = logits.to_vector<float>();
  const int64_t at = first_not_finite(values);
  require(
      at < 0,
      "the model's output is not finite: logit {} is {}; its weights are damaged, or too large for float32",
      at, at < 0 ? 0 : without_nan_sign(values[size_t(at)]));
  return values;
}

void explore(const std::string& directory, const std::string& picture) {
  require_output(picture, OutputKind::png);
  const SafetensorsCheckpoint checkpoint = nn::open_model(directory, nn::digests_in(directory)).weights;
  for (const auto& [name, entry] : checkpoint.entries()) {
    fmt::print("{:40} {:5} {:16}", printable_line(name), printable_line(entry.dtype), to_string(entry.shape));
    if (!is_float(entry)) {
      fmt::print("\n");
      continue;
    }
    std::vector<float> values(size_t(entry.numel()));
    read_float32(entry, values);
    const auto [mean, std] = mean_and_std(values);
    fmt::print(" mean {:9.5f} std {:8.5f}\n", mean, std);
    if (!is_position_embedding(entry)) continue;
    if (!kCanWritePng) {
      fmt::print("{:40} not drawn: this build has no libpng; install libpng-dev and build again\n", "");
      continue;
    }
    write_png(picture, entry.shape[1], entry.shape[0], PngColor::kGrey, grey_scale(values));
    fmt::print("{:40} drawn in {}\n", "", picture);
  }
}

}  // namespace gpt2::app
