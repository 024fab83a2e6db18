#include "common/data/loader.h"
#include "common/data/safetensors.h"
#include "common/optim/adamw.h"
#include "steps/04_overfit/gpt2.h"
#include "tests/common/testing.h"
#include "tests/steps/program.h"

using namespace gpt2::testing;

namespace {

constexpr char kGradients[] = GPT2_SOURCE_DIR "/tests/golden/gradients.safetensors";

std::vector<float> golden(const std::map<std::string, SafetensorsEntry>& entries, const std::string& name) {
  std::vector<float> values(size_t(entries.at(name).numel()));
  read_float32(entries.at(name), values);
  return values;
}

std::vector<int32_t> golden_ids(const std::map<std::string, SafetensorsEntry>& entries, const std::string& name) {
  std::vector<int32_t> ids(size_t(entries.at(name).numel()));
  std::memcpy(ids.data(), entries.at(name).bytes.data(), ids.size() * sizeof(int32_t));
  return ids;
}

// ||a - b|| / ||b||, NaN if either holds one.
double relative_distance(const std::vector<float>& a, const std::vector<float>& b) {
  if (a.size() != b.size()) return NAN;
  double difference = 0, norm = 0;
  for (size_t i = 0; i < b.size(); ++i) {
    difference += std::pow(double(a[i]) - b[i], 2);
    norm += std::pow(double(b[i]), 2);
  }
  return std::sqrt(difference / norm);
}

}  // namespace

using Overfit = OnEveryDevice;

TEST_P(Overfit, LogitsLossAndEveryGradientAgreeWithTorch) {
  const SafetensorsFile file(kGradients);
  std::map<std::string, SafetensorsEntry> entries;
  for (const auto& entry : file.entries()) entries[entry.name] = entry;
  nn::manual_seed(1337);
  GPT model({.block_size = 32, .vocab_size = 257, .n_layer = 2, .n_head = 2, .n_embd = 32});
  for (const auto& [name, tensor] : model.named_parameters()) {
    EXPECT_LE(max_relative_error(tensor->to_vector<float>(), golden(entries, "weight." + name)), 1e-6) << name;
  }
  model.to(device());
  const auto shape = entries.at("idx").shape;
  const Tensor x = from_vector(golden_ids(entries, "idx"), shape, device());
  const Tensor y = from_vector(golden_ids(entries, "targets"), shape, device());
  const auto [logits, loss] = model(x, y);
  loss.backward();
  EXPECT_LE(max_relative_error(logits.to_vector<float>(), golden(entries, "logits")), 1e-4);
  EXPECT_LE(std::abs(loss.item() / golden(entries, "loss")[0] - 1), 1e-6);
  for (const auto& [name, tensor] : model.named_parameters()) {
    std::vector<float> actual = tensor->grad().to_vector<float>(), expected = golden(entries, "grad." + name);
    EXPECT_LE(relative_distance(actual, expected), 1e-4) << name;
  }
}

INSTANTIATE_ON_EVERY_DEVICE(Overfit);
