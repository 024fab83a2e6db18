#include "common/nn/pretrained.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <set>

#include "common/base/error.h"
#include "common/base/file.h"
#include "common/base/finite.h"
#include "common/nn/checkpoints.h"
#include "common/nn/llmc_model.h"

namespace gpt2::nn {
namespace {

constexpr std::string_view kPrefix = "transformer.";
constexpr std::string_view kHead = "lm_head.weight";
constexpr std::string_view kTokenEmbedding = "transformer.wte.weight";

// Whether a layer is a Conv1D in the file. Its weight there is (in, out); ours is (out, in).
bool is_conv1d(std::string_view name) {
  constexpr std::array<std::string_view, 3> kConv1d = {"c_attn.weight", "c_proj.weight", "c_fc.weight"};
  return std::any_of(kConv1d.begin(), kConv1d.end(),
                     [&](std::string_view end) { return name.ends_with(end); });
}

bool is_mask(std::string_view name) {
  return name.ends_with(".attn.bias") || name.ends_with(".attn.masked_bias");
}

// The shape of a parameter in the file, where linear layers are transposed. The file has vocab_size
// vocabulary rows (the model may have more, see 09_vocab), and n_inner of the MLP's 4 n_embd hidden channels.
Shape shape_in_file(const NamedParameter& parameter, const HfConfig& config) {
  const std::string_view name = parameter.name;
  Shape shape = parameter.tensor->shape();
  if (is_conv1d(name)) std::reverse(shape.begin(), shape.end());
  if (name == kTokenEmbedding || name == kHead) shape.front() = std::min(shape.front(), config.vocab_size);
  if (!config.n_inner) return shape;
  if (name.ends_with(".mlp.c_fc.weight") || name.ends_with(".mlp.c_fc.bias")) shape.back() = *config.n_inner;
  if (name.ends_with(".mlp.c_proj.weight")) shape.front() = *config.n_inner;
  return shape;
}

// Cuts a matrix or vector to another shape, or pads it with zeros for unused hidden channels and tokens.
std::vector<float> resized(const std::vector<float>& values, const Shape& shape, const Shape& wanted) {
  const int64_t from = shape.back(), to = wanted.back(), cols = std::min(from, to);
  const int64_t rows = std::min(numel(shape) / from, numel(wanted) / to);
  std::vector<float> result(size_t(numel(wanted)));
  for (int64_t row = 0; row < rows; ++row)
    std::copy_n(values.begin() + row * from, cols, result.begin() + row * to);
  return result;
}

// The entry of a parameter, found by its name with or without the prefix; null if the file has none.
const SafetensorsEntry* find(const SafetensorsCheckpoint& file, const std::string& name) {
  if (const auto* entry = file.find(name)) return entry;
  return name.starts_with(kPrefix) ? file.find(name.substr(kPrefix.size())) : nullptr;
}

// The factor for the weights and biases of attention's queries. The model divides scores by sqrt(head size).
// If config.json sets another scale, the queries are multiplied by the ratio.
double query_factor(std::string_view name, const HfConfig& config) {
  if (!name.ends_with(".attn.c_attn.weight") && !name.ends_with(".attn.c_attn.bias")) return 1;
  double factor = 1;
  if (!config.scale_attn_weights) factor *= std::sqrt(double(config.n_embd) / double(config.n_head));
  if (config.scale_attn_by_inverse_layer_idx) {
    const std::string layer(name.substr(std::string_view("transformer.h.").size()));  // "3.attn.c_attn.bias"
    factor /= double(std::stoll(layer) + 1);
  }
  return factor;
}

// Queries are the first third of c_attn's columns, in the file's layout.
void scale_queries(std::span<float> c_attn, int64_t n_embd, double factor) {
  for (size_t i = 0; i < c_attn.size(); ++i)
    if (int64_t(i) % (3 * n_embd) < n_embd) c_attn[i] = float(double(c_attn[i]) * factor);
}

// The matrix that is both the token embedding and the output layer; a file may use either name.
const SafetensorsEntry* find_tied(const SafetensorsCheckpoint& file) {
  const auto* embedding = find(file, std::string(kTokenEmbedding));
  return embedding ? embedding : file.find(std::string(kHead));
}

void copy_values(const NamedParameter& parameter, const SafetensorsEntry& entry, const HfConfig& config) {
  const bool transposed = is_conv1d(parameter.name);
  const Shape wanted = shape_in_file(parameter, config);
  require(entry.shape == wanted, "{}: tensor {} has shape {}, config.json says {}", entry.file, entry.name,
          to_string(entry.shape), to_string(wanted));
  std::vector<float> values(size_t(entry.numel()));
  read_finite(entry, values);
  const double factor = query_factor(parameter.name, config);
  if (factor != 1) scale_queries(values, config.n_embd, factor);
  Shape whole = parameter.tensor->shape();
  if (transposed) std::reverse(whole.begin(), whole.end());
  if (wanted != whole) values = resized(values, wanted, whole);
  const Tensor tensor = from_vector(values, whole).to(parameter.tensor->dtype());
  copy_(*parameter.tensor, transposed ? tensor.transpose(0, 1).contiguous() : tensor);
}

// A file may store the output layer although config.json ties it to the token embedding. This is harmless if
// both are the same matrix. If they differ, transformers 5 uses the stored layer and transformers 4 the
// embedding.
void require_tied(const SafetensorsCheckpoint& file) {
  const SafetensorsEntry *head = file.find(std::string(kHead)),
                         *embedding = find(file, std::string(kTokenEmbedding));
  if (!head || !embedding) return;
  require(head->dtype == embedding->dtype && head->copied_bytes() == embedding->copied_bytes(),
          "{}: tensor {} differs from {}, but config.json ties the two; set tie_word_embeddings to false in "
          "config.json, or remove the tensor",
          head->file, head->name, embedding->name);
}

void refuse_unknown(const SafetensorsCheckpoint& file, const std::set<std::string>& used) {
  for (const auto& [name, entry] : file.entries()) {
    if (used.contains(name) || is_mask(name)) continue;
    fail("{}: tensor {} belongs to no layer of this GPT-2; do config.json and the weights match?", entry.file,
         name);
  }
}

}  // namespace

OpenModel open_model(const std::string& directory, const FileDigests& digests) {
  const std::filesystem::path folder(directory);
  std::error_code none;
  for (const auto& each : digests) {  // weights are compared when they are opened
    const std::filesystem::path path = folder / each.first;
    if (path.extension() != ".safetensors" && std::filesystem::exists(path, none))
      require_digest(digests, path, digest_of_file(path));
  }
  SafetensorsCheckpoint weights(directory, digests);
  const std::string config = folder / "config.json", text = read_text_file(config, /*max_bytes=*/1'000'000);
  require_digest(digests, config, digest_of(text));
  return {directory, parse_hf_config(text, config), std::move(weights)};
}

void load(Module& model, const std::string& directory) {
  if (is_llmc_model(directory)) return load_llmc(model, directory);
  load(model, open_model(directory, digests_in(directory)));
}

void load(Module& model, const OpenModel& source) {
  const auto& [directory, config, file] = source;
  const bool tied = config.tie_word_embeddings;
  std::set<std::string> used;
  for (const NamedParameter& parameter : model.named_parameters()) {
    const bool is_tied = tied && (parameter.name == kHead || parameter.name == kTokenEmbedding);
    const auto* entry = is_tied ? find_tied(file) : find(file, parameter.name);
    require(entry != nullptr, "{}: tensor {} is missing; is the checkpoint complete?", directory,
            parameter.name);
    copy_values(parameter, *entry, config);
    used.insert(entry->name);
  }
  if (tied) {
    require_tied(file);
    used.insert(std::string(kHead));
  }
  refuse_unknown(file, used);
  file.require_unwritten();
}

namespace {

// The values of a parameter on the host, in its type.
struct StoredValues {
  DType dtype;
  std::vector<float> wide;
  std::vector<bf16> narrow;

  StoredValues(std::vector<float> values, DType type) : dtype(type) {
    if (type == DType::bf16) {
      narrow.assign(values.begin(), values.end());
    } else {
      wide = std::move(values);
    }
  }
  std::span<const std::byte> bytes() const {
    return dtype == DType::bf16 ? std::as_bytes(std::span(narrow)) : std::as_bytes(std::span(wide));
  }
};

}  // namespace

std::map<std::string, uint64_t> save(const Module& model, const HfConfig& config,
                                     const std::string& directory) {
  const NoGrad no_grad;
  std::vector<SafetensorsEntry> entries;
  std::vector<StoredValues> stored;
  for (const NamedParameter& parameter : model.named_parameters()) {
    // The model lists a tied matrix once, at its first declaration, like transformers.
    const Tensor tensor =
        is_conv1d(parameter.name) ? parameter.tensor->transpose(0, 1).contiguous() : *parameter.tensor;
    const Shape shape = shape_in_file(parameter, config);
    std::vector<float> values = tensor.to(DType::f32).to_vector<float>();
    if (shape != tensor.shape()) values = resized(values, tensor.shape(), shape);
    require_finite(values, parameter.name);
    const StoredValues& last = stored.emplace_back(std::move(values), tensor.dtype());
    entries.push_back({.name = parameter.name,
                       .dtype = last.dtype == DType::bf16 ? "BF16" : "F32",
                       .shape = shape,
                       .bytes = last.bytes(),
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
