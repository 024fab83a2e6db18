#include "common/nn/hf_config.h"

#include <fmt/ranges.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <vector>

#include "common/base/error.h"
#include "common/base/file.h"
#include "common/base/json.h"
#include "common/nn/llmc_model.h"

namespace gpt2 {
namespace {

using nlohmann::json;

// The options in a config.json. Error messages name the file and the key.
class Options {
 public:
  Options(const json& object, const std::string& where) : object_(object), where_(where) {}

  // A size of the model, which must be there (require_sizes). `alias` is a second name that transformers accepts for the same size. If both are given, transformers
  // uses the alias; this library throws if they differ.
  int64_t size(const char* key, const char* alias, int64_t otherwise, int64_t largest) const {
    return integer(key, alias, otherwise, largest, /*is_needed=*/true);
  }

  // Throws if a size was asked for that the file does not have. transformers would take GPT2Config's default, which
  // for n_head is another function of the same weights.
  void require_sizes() const {
    require(missing_.empty(), "{}: {} {} missing; copy the config.json that belongs to the weights", where_,
            fmt::join(missing_, ", "), missing_.size() > 1 ? "are" : "is");
  }

  int64_t integer(const char* key, const char* alias, int64_t otherwise, int64_t largest,
                  bool is_needed = false) const {
    if (alias && object_.contains(alias)) {
      if (object_.contains(key) && object_[key] != object_[alias])
        fail("{}: {} is {}, but {}, which is another name for it, is {}; they must be equal", where_, key,
             escaped(object_[key]), alias, escaped(object_[alias]));
      key = alias;
    }
    if (!object_.contains(key)) {
      if (is_needed) missing_.push_back(key);
      return otherwise;
    }
    const json& value = object_[key];
    const bool ok = value.is_number_unsigned() && value.get<uint64_t>() >= 1 &&
                    value.get<uint64_t>() <= static_cast<uint64_t>(largest);
    if (!ok) refuse(key, fmt::format("an integer from 1 to {}", largest));
    return value.get<int64_t>();
  }

  // A null or missing option means `largest`.
  int64_t integer_or_null(const char* key, int64_t largest) const {
    const bool is_null = object_.contains(key) && object_[key].is_null();
    return is_null ? largest : integer(key, nullptr, largest, largest);
  }

  double positive(const char* key, double otherwise) const {
    if (!object_.contains(key)) return otherwise;
    const json& value = object_[key];
    const bool ok = value.is_number() && value.get<double>() > 0 && value.get<double>() <= 1;
    if (!ok) refuse(key, "a number above 0, at most 1");
    return value.get<double>();
  }

  bool boolean(const char* key, bool otherwise) const {
    if (!object_.contains(key)) return otherwise;
    if (!object_[key].is_boolean()) refuse(key, "true or false");
    return object_[key].get<bool>();
  }

  // The default is the first of the allowed values.
  std::string one_of(const char* key, const std::vector<std::string>& allowed) const {
    if (!object_.contains(key)) return allowed.front();
    const json& value = object_[key];
    for (const std::string& candidate : allowed)
      if (value == candidate) return candidate;
    refuse(key, fmt::format("{}", fmt::join(allowed, " or ")));
  }

  // For options for which this library supports only one value, which is also the default.
  void must_be(const char* key, bool required) const {
    if (boolean(key, required) != required) refuse(key, required ? "true" : "false");
  }

  // For options that describe changes to a GPT-2 model; throws if one is set.
  void must_be_empty(const char* key) const {
    if (!object_.contains(key) || object_[key].is_null()) return;
    if (!object_[key].is_structured() || !object_[key].empty()) refuse(key, "absent or empty");
  }

 private:
  [[noreturn]] void refuse(const char* key, const std::string& allowed) const {
    fail("{}: {} is {}; it must be {}", where_, key, escaped(object_[key]), allowed);
  }

  const json& object_;
  const std::string& where_;
  mutable std::vector<std::string> missing_;
};

// Throws if an option makes transformers compute something that this library cannot compute.
void refuse_other_models(const Options& options) {
  options.one_of("model_type", {"gpt2"});
  options.must_be("is_causal", true);
  options.must_be("add_cross_attention", false);
  for (const char* key : {"pruned_heads", "per_layer_config", "quantization_config"})
    options.must_be_empty(key);
}

}  // namespace

HfConfig parse_hf_config(std::string_view text, const std::string& where) {
  const json object = parse_json(text, where);
  require(object.is_object(), "{}: not a JSON object; is this the config.json of a GPT-2?", where);
  const Options options(object, where);
  refuse_other_models(options);

  HfConfig config;
  // The limits are far above any GPT-2, and small enough that no product of two sizes overflows.
  config.vocab_size = options.size("vocab_size", nullptr, config.vocab_size, 1 << 24);
  config.n_positions = options.size("n_positions", "max_position_embeddings", config.n_positions, 1 << 24);
  config.n_embd = options.size("n_embd", "hidden_size", config.n_embd, 1 << 20);
  config.n_layer = options.size("n_layer", "num_hidden_layers", config.n_layer, 10'000);
  config.n_head = options.size("n_head", "num_attention_heads", config.n_head, config.n_embd);
  require(config.n_embd % config.n_head == 0, "{}: n_embd {} is not a multiple of n_head {}", where,
          config.n_embd, config.n_head);
  const int64_t n_inner = options.integer_or_null("n_inner", 4 * config.n_embd);
  if (n_inner < 4 * config.n_embd) config.n_inner = n_inner;
  config.scale_attn_weights = options.boolean("scale_attn_weights", config.scale_attn_weights);
  config.scale_attn_by_inverse_layer_idx =
      options.boolean("scale_attn_by_inverse_layer_idx", config.scale_attn_by_inverse_layer_idx);
  config.layer_norm_epsilon = options.positive("layer_norm_epsilon", config.layer_norm_epsilon);
  // All names of GELU's tanh approximation in transformers. "gelu" is a different function, based on erf.
  config.activation_function =
      options.one_of("activation_function",
                     {"gelu_new", "gelu_pytorch_tanh", "gelu_python_tanh", "gelu_fast", "gelu_accurate"});
  config.tie_word_embeddings = options.boolean("tie_word_embeddings", config.tie_word_embeddings);
  // A list of ids, or an id outside the vocabulary, is ignored.
  const json eos = object.value("eos_token_id", json());
  if (eos.is_number_unsigned() && eos.get<uint64_t>() < static_cast<uint64_t>(config.vocab_size))
    config.eos_token_id = eos.get<int64_t>();
  options.require_sizes();
  return config;
}

HfConfig read_hf_config(const std::string& directory) {
  if (nn::is_llmc_model(directory))
    return nn::parse_llmc_model(MappedFile(directory).bytes(), directory).config;
  const std::string path = std::filesystem::path(directory) / "config.json";
  return parse_hf_config(read_text_file(path, /*max_bytes=*/1'000'000), path);
}

std::string to_json(const HfConfig& config) {
  const json eos = config.eos_token_id ? json(*config.eos_token_id) : json();
  const json inner = config.n_inner ? json(*config.n_inner) : json();
  const nlohmann::ordered_json object = {{"architectures", {"GPT2LMHeadModel"}},
                                         {"model_type", "gpt2"},
                                         {"vocab_size", config.vocab_size},
                                         {"n_positions", config.n_positions},
                                         {"n_ctx", config.n_positions},
                                         {"n_embd", config.n_embd},
                                         {"n_layer", config.n_layer},
                                         {"n_head", config.n_head},
                                         {"n_inner", inner},
                                         {"layer_norm_epsilon", config.layer_norm_epsilon},
                                         {"activation_function", config.activation_function},
                                         {"tie_word_embeddings", config.tie_word_embeddings},
                                         {"bos_token_id", eos},
                                         {"eos_token_id", eos}};
  return object.dump(2) + "\n";
}

}  // namespace gpt2
