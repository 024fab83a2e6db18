#include "common/nn/pretrained.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <set>

#include "common/base/finite.h"
#include "common/data/safetensors.h"

namespace gpt2::nn {
namespace {

constexpr std::string_view kPrefix = "transformer.";
constexpr std::string_view kHead = "lm_head.weight";
constexpr std::string_view kTokenEmbedding = "transformer.wte.weight";

// The layers that are Conv1D in the file: their weight is (in, out), ours (out, in).
bool is_conv1d(std::string_view name) {
  constexpr std::array<std::string_view, 3> kConv1d = {"c_attn.weight", "c_proj.weight", "c_fc.weight"};
  return std::any_of(kConv1d.begin(), kConv1d.end(),
                     [&](std::string_view end) { return name.ends_with(end); });
}

bool is_mask(std::string_view name) {
  return name.ends_with(".attn.bias") || name.ends_with(".attn.masked_bias");
}

// What of a parameter the file holds: all of it, or the vocabulary's rows of a matrix that has more (09_vocab).
Tensor part_in_file(const NamedParameter& parameter, int64_t vocab_size) {
  const Tensor& all = *parameter.tensor;
  if (parameter.name != kTokenEmbedding && parameter.name != kHead) return all;
  return all.slice(0, 0, std::min(vocab_size, all.size(0))).detach();
}

Shape shape_in_file(const std::string& name, const Tensor& part) {
  Shape shape = part.shape();
  if (is_conv1d(name)) std::reverse(shape.begin(), shape.end());
  return shape;
}

// The entry for a parameter, under its name or without the prefix; null if the file has none.
const SafetensorsEntry* find(const SafetensorsCheckpoint& file, const std::string& name) {
  if (const auto* entry = file.find(name)) return entry;
  return name.starts_with(kPrefix) ? file.find(name.substr(kPrefix.size())) : nullptr;
}

void copy_values(const NamedParameter& parameter, const SafetensorsEntry& entry, int64_t vocab_size) {
  const Tensor part = part_in_file(parameter, vocab_size);
  const Shape wanted = shape_in_file(parameter.name, part);
  require(entry.shape == wanted, "{}: tensor {} has shape {}, config.json says {}", entry.file, entry.name,
          to_string(entry.shape), to_string(wanted));
  std::vector<float> values(size_t(entry.numel()));
  read_float32(entry, values);
  const Tensor tensor = from_vector(values, wanted);
  zero_(*parameter.tensor);
  copy_(part, is_conv1d(parameter.name) ? tensor.transpose(0, 1).contiguous() : tensor);
}

void refuse_unknown(const SafetensorsCheckpoint& file, const std::set<std::string>& used) {
  for (const auto& [name, entry] : file.entries()) {
    if (used.contains(name) || is_mask(name)) continue;
    fail("{}: tensor {} belongs to no layer of this GPT-2; do config.json and the weights match?", entry.file,
         name);
  }
}

}  // namespace

void load(Module& model, const std::string& directory) {
  const SafetensorsCheckpoint file(directory);
  const HfConfig config = read_hf_config(directory);
  const bool tied = config.tie_word_embeddings;
  std::set<std::string> used;
  for (const NamedParameter& parameter : model.named_parameters()) {
    const bool from_embedding = tied && parameter.name == kHead;
    const auto* entry = find(file, from_embedding ? std::string(kTokenEmbedding) : parameter.name);
    require(entry != nullptr, "{}: tensor {} is missing; is the checkpoint complete?", directory,
            parameter.name);
    copy_values(parameter, *entry, config.vocab_size);
    used.insert(entry->name);
  }
  if (tied) used.insert(std::string(kHead));  // some files store it twice
  refuse_unknown(file, used);
}

std::map<std::string, uint64_t> save(const Module& model, const HfConfig& config,
                                     const std::string& directory) {
  const NoGrad no_grad;
  std::vector<SafetensorsEntry> entries;
  std::vector<std::vector<float>> values;  // on the host
  for (const NamedParameter& parameter : model.named_parameters()) {
    // Tied, the model lists the matrix where it declares it first, as transformers does.
    const Tensor part = part_in_file(parameter, config.vocab_size).detach();
    const bool transposed = is_conv1d(parameter.name);
    values.push_back((transposed ? part.transpose(0, 1).contiguous() : part).to_vector<float>());
    require_finite(values.back(), parameter.name);
    entries.push_back({.name = parameter.name,
                       .dtype = "F32",
                       .shape = shape_in_file(parameter.name, part),
                       .bytes = std::as_bytes(std::span(values.back())),
                       .file = ""});
  }
  const std::filesystem::path folder(directory);
  AtomicFile json(folder / "config.json");
  json.write(to_json(config));
  const uint64_t config_digest = json.commit();
  return {{"config.json", config_digest},
          {"model.safetensors", write_safetensors(folder / "model.safetensors", entries)}};
}

}  // namespace gpt2::nn
