#include "common/nn/llmc_model.h"

#include <algorithm>
#include <array>
#include <bit>
#include <filesystem>
#include <map>
#include <memory>
#include <set>
#include <utility>

#include "common/base/error.h"
#include "common/base/finite.h"
#include "common/tensor/bf16.h"
#include "common/tensor/context.h"

namespace gpt2::nn {
namespace {

static_assert(std::endian::native == std::endian::little, "values are copied as they lie in the file");

constexpr int32_t kMagic = 20240326, kFloat32 = 3, kBf16 = 5;
constexpr int64_t kVocabMultiple = 128, kGpt2Vocab = 50257;
constexpr int32_t kGpt2EndOfText = 50256;
constexpr const char* kTokenEmbedding = "transformer.wte.weight";
constexpr const char* kHead = "lm_head.weight";
using Header = std::array<int32_t, 256>;

int64_t padded(int64_t vocab_size) {
  return (vocab_size + kVocabMultiple - 1) / kVocabMultiple * kVocabMultiple;
}

// A parameter of the model, or one of every layer: then `name` follows transformer.h.N.
struct Group {
  std::string name;
  Shape shape;
  bool is_per_layer;
};

// The file's order.
std::vector<Group> groups(const HfConfig& config) {
  const int64_t C = config.n_embd;
  return {{kTokenEmbedding, {config.vocab_size, C}, false},
          {"transformer.wpe.weight", {config.n_positions, C}, false},
          {"ln_1.weight", {C}, true},
          {"ln_1.bias", {C}, true},
          {"attn.c_attn.weight", {3 * C, C}, true},
          {"attn.c_attn.bias", {3 * C}, true},
          {"attn.c_proj.weight", {C, C}, true},
          {"attn.c_proj.bias", {C}, true},
          {"ln_2.weight", {C}, true},
          {"ln_2.bias", {C}, true},
          {"mlp.c_fc.weight", {4 * C, C}, true},
          {"mlp.c_fc.bias", {4 * C}, true},
          {"mlp.c_proj.weight", {C, 4 * C}, true},
          {"mlp.c_proj.bias", {C}, true},
          {"transformer.ln_f.weight", {C}, false},
          {"transformer.ln_f.bias", {C}, false}};
}

struct Parameter {
  std::string name;
  Shape shape;
};

// All parameters in the file's order.
std::vector<Parameter> parameters(const HfConfig& config) {
  std::vector<Parameter> all;
  for (const Group& group : groups(config)) {
    if (!group.is_per_layer) all.push_back({group.name, group.shape});
    for (int64_t layer = 0; group.is_per_layer && layer < config.n_layer; ++layer)
      all.push_back({fmt::format("transformer.h.{}.{}", layer, group.name), group.shape});
  }
  return all;
}

// The size `name` in the header. The limits are those of a config.json.
int64_t size_in(const Header& header, size_t index, const char* name, int64_t most,
                const std::string& where) {
  const int64_t value = header[index];
  require(value >= 1 && value <= most, "{}: its header says {} {}; it must be from 1 to {}", where, name,
          value, most);
  return value;
}

HfConfig config_of(const Header& header, const std::string& where) {
  HfConfig config;
  config.n_positions = size_in(header, 2, "max_seq_len", 1 << 24, where);
  config.vocab_size = size_in(header, 3, "vocab_size", 1 << 24, where);
  config.n_layer = size_in(header, 4, "num_layers", 10'000, where);
  config.n_head = size_in(header, 5, "num_heads", 1 << 20, where);
  config.n_embd = size_in(header, 6, "channels", 1 << 20, where);
  require(config.n_embd % config.n_head == 0, "{}: channels {} are not a multiple of num_heads {}", where,
          config.n_embd, config.n_head);
  if (config.vocab_size == kGpt2Vocab) config.eos_token_id = kGpt2EndOfText;
  return config;
}

Header header_of(std::span<const std::byte> file, const std::string& where) {
  Header header{};
  std::ranges::copy(file.first(std::min(file.size(), sizeof header)),
                    std::as_writable_bytes(std::span(header)).begin());
  require(file.size() >= sizeof(int32_t) && header[0] == kMagic,
          "{}: not a model file of llm.c, which begins with the number {}; give the folder of a Hugging Face "
          "model, or a file that llm.c's train_gpt2.py or convert wrote",
          where, kMagic);
  require(file.size() >= sizeof header, "{}: the file ends within its header; copy it again", where);
  require(header[1] == kFloat32 || header[1] == kBf16,
          "{}: model file of version {}; versions {} (float32) and {} (bf16) are read; write it again with "
          "llm.c's train_gpt2.py",
          where, header[1], kFloat32, kBf16);
  return header;
}

// The bytes of the whole file. With the limits above no sum overflows. `padded_vocab`: rows of the embedding in the file.
int64_t file_size(const HfConfig& config, int64_t padded_vocab, int64_t value_bytes) {
  HfConfig in_file = config;
  in_file.vocab_size = padded_vocab;
  int64_t values = 0;
  for (const Group& group : groups(in_file))
    values += numel(group.shape) * (group.is_per_layer ? config.n_layer : 1);
  return int64_t(sizeof(Header)) + values * value_bytes;
}

// llm.c never trains them. Anything else means that vocab_size is not what the weights were made for.
void require_zero(std::span<const std::byte> rows, int64_t vocab_size, const std::string& where) {
  const bool is_zero =
      std::all_of(rows.begin(), rows.end(), [](std::byte byte) { return byte == std::byte{}; });
  require(
      is_zero,
      "{}: rows of {} after the vocabulary's {} are not zero, as llm.c's padding is; is vocab_size right?",
      where, kTokenEmbedding, vocab_size);
}

// What llm.c has no place for.
void require_llmc_has(const HfConfig& config, const std::string& path) {
  require(config.tie_word_embeddings,
          "{}: llm.c has no output layer of its own, and this model's is not its token embedding", path);
  require(config.layer_norm_epsilon == HfConfig().layer_norm_epsilon,
          "{}: llm.c's LayerNorms have epsilon 1e-5, this model's {}", path, config.layer_norm_epsilon);
}

void write_values(AtomicFile& file, std::span<const float> values, DType dtype) {
  if (dtype == DType::f32) {
    file.write(std::as_bytes(values));
    return;
  }
  const std::vector<bf16> rounded(values.begin(), values.end());
  file.write(std::as_bytes(std::span(rounded)));
}

}  // namespace

bool is_llmc_model(const std::string& path) {
  std::error_code none;
  return path.ends_with(".bin") && std::filesystem::is_regular_file(path, none);
}

LlmcModel parse_llmc_model(std::span<const std::byte> file, const std::string& where) {
  const Header header = header_of(file, where);
  LlmcModel model{config_of(header, where), {}};
  const int64_t rows = size_in(header, 7, "padded_vocab_size", 1 << 24, where);
  require(rows >= model.config.vocab_size, "{}: its header says padded_vocab_size {}, below vocab_size {}",
          where, rows, model.config.vocab_size);
  const int64_t value_bytes = header[1] == kFloat32 ? 4 : 2;
  const int64_t size = file_size(model.config, rows, value_bytes);
  require(
      size == int64_t(file.size()),
      "{}: {} bytes, but the sizes in its header take {}; the file is incomplete or damaged, copy it again",
      where, file.size(), size);
  const char* dtype = header[1] == kFloat32 ? "F32" : "BF16";
  size_t begin = sizeof header;
  for (Parameter& parameter : parameters(model.config)) {
    const auto bytes = file.subspan(begin, size_t(numel(parameter.shape) * value_bytes));
    begin += bytes.size();
    if (parameter.name == kTokenEmbedding) {
      const auto padding = size_t((rows - model.config.vocab_size) * model.config.n_embd * value_bytes);
      require_zero(file.subspan(begin, padding), model.config.vocab_size, where);
      begin += padding;
    }
    model.entries.push_back({std::move(parameter.name), dtype, std::move(parameter.shape), bytes, where});
  }
  return model;
}

void load_llmc(Module& model, const std::string& path) {
  const auto file = std::make_shared<const MappedFile>(path);
  LlmcModel content = parse_llmc_model(file->bytes(), path);
  std::map<std::string, const SafetensorsEntry*> entries;
  for (SafetensorsEntry& entry : content.entries) {
    entry.mapping = file;
    entries[entry.name] = &entry;
  }
  std::set<std::string> used;
  for (const auto& [name, tensor] : model.named_parameters()) {
    // The file ties the output layer to the embedding. A model that does not gets a copy.
    const auto found = entries.find(name == kHead ? kTokenEmbedding : name);
    require(found != entries.end(), "{}: tensor {} is missing", path, name);
    const SafetensorsEntry& entry = *found->second;
    Shape shape = tensor->shape();
    if (entry.name == kTokenEmbedding) shape.front() = std::min(shape.front(), content.config.vocab_size);
    require(entry.shape == shape, "{}: tensor {} has shape {}, the model {}", path, entry.name,
            to_string(entry.shape), to_string(shape));
    std::vector<float> values(size_t(entry.numel()));
    read_finite(entry, values);
    values.resize(size_t(tensor->numel()));  // rows of zeros
    copy_(*tensor, from_vector(values, tensor->shape()).to(tensor->dtype()));
    used.insert(entry.name);
  }
  file->require_unwritten();
  require(used.size() == entries.size(), "{}: {} tensors, but the model has {} of them", path, entries.size(),
          used.size());
}

void save_llmc(const Module& model, const HfConfig& config, const std::string& path, DType dtype) {
  require_llmc_has(config, path);
  const NoGrad no_grad;
  std::map<std::string, const Tensor*> tensors;
  for (const auto& [name, tensor] : model.named_parameters())
    tensors[name == kHead ? kTokenEmbedding : name] = tensor;
  const int64_t rows = padded(config.vocab_size);
  const auto size_of = [](int64_t size) { return int32_t(size); };  // below 2^24: HfConfig's limits
  Header header{};
  header[0] = kMagic;
  header[1] = dtype == DType::f32 ? kFloat32 : kBf16;
  header[2] = size_of(config.n_positions);
  header[3] = size_of(config.vocab_size);
  header[4] = size_of(config.n_layer);
  header[5] = size_of(config.n_head);
  header[6] = size_of(config.n_embd);
  header[7] = size_of(rows);
  AtomicFile file(path);
  file.write(std::as_bytes(std::span(header)));
  for (const Parameter& parameter : parameters(config)) {
    std::vector<float> values = tensors.at(parameter.name)->to(DType::f32).to_vector<float>();
    values.resize(size_t(numel(parameter.shape)));  // without the model's own padding
    if (parameter.name == kTokenEmbedding) values.resize(size_t(rows * config.n_embd));
    require_finite(values, parameter.name);
    write_values(file, values, dtype);
  }
  file.commit();
}

Gpt2Weights::Gpt2Weights(const HfConfig& config) {
  const std::vector<Parameter> all = parameters(config);
  tensors_.reserve(all.size() + 1);  // the module keeps their addresses
  const auto add = [&](const Parameter& parameter) {
    register_parameter(parameter.name, tensors_.emplace_back(zeros(parameter.shape)));
  };
  for (const Parameter& parameter : all) add(parameter);
  if (!config.tie_word_embeddings) add({kHead, {config.vocab_size, config.n_embd}});
}

}  // namespace gpt2::nn
