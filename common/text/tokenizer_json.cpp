#include "common/text/tokenizer_json.h"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "common/base/error.h"
#include "common/base/json.h"

namespace gpt2 {
namespace {

using nlohmann::json;

// An object in the file; its error messages name the file and the setting.
class Settings {
 public:
  // `path` is the object's path in the file: "model", "pre_tokenizer".
  Settings(const json& object, const std::string& name, std::string path)
      : object_(object), name_(name), path_(std::move(path)) {
    if (!object.is_object()) refuse(path_, object, "a JSON object");
  }

  // Throws unless the value is `required` or one of `alike`, which have the same meaning; a missing value is
  // null.
  void must_be(const char* key, const json& required, const std::vector<json>& alike = {}) const {
    const json value = object_.value(key, json());
    if (value == required) return;
    for (const json& other : alike)
      if (value == other) return;
    refuse(path_of(key), value, required.dump());
  }

  const json& at(const char* key) const {
    static const json missing;
    const auto found = object_.find(key);
    return found == object_.end() ? missing : *found;
  }

  std::string path_of(const std::string& key) const { return path_.empty() ? key : path_ + "." + key; }

  [[noreturn]] void refuse(const std::string& setting, const json& value, const std::string& required) const {
    fail(
        "{}: {} is {}, but a tokenizer of GPT-2's kind (byte-level BPE) has {}; give another with "
        "--tokenizer",
        name_, setting, escaped(value), required);
  }

 private:
  const json& object_;
  const std::string& name_;
  const std::string path_;
};

void check_pre_tokenizer(const Settings& file, const std::string& name) {
  const json* value = &file.at("pre_tokenizer");
  // A sequence with one element is treated as that element.
  if (value->is_object() && value->value("type", json()) == "Sequence") {
    const auto steps = value->find("pretokenizers");
    if (steps != value->end() && steps->is_array() && steps->size() == 1) value = &steps->front();
  }
  const Settings pre_tokenizer(*value, name, "pre_tokenizer");
  pre_tokenizer.must_be("type", "ByteLevel");
  pre_tokenizer.must_be("add_prefix_space", false);
  pre_tokenizer.must_be("use_regex", true, {json()});
}

// The post-processor must not add ids: allowed are a template of just the text, and one that only changes
// offsets.
void check_post_processor(const Settings& file, const std::string& name) {
  const json& value = file.at("post_processor");
  if (value.is_null()) return;
  const Settings post_processor(value, name, "post_processor");
  if (post_processor.at("type") == "ByteLevel") return;
  post_processor.must_be("type", "ByteLevel", {"TemplateProcessing"});
  const json& pieces = post_processor.at("single");
  const bool is_text_alone = pieces.is_array() && pieces.size() == 1 && pieces.front().contains("Sequence");
  if (!is_text_alone) post_processor.refuse("post_processor.single", pieces, "the text alone");
}

// lstrip, for example, makes a token match the white space before it, too.
void check_is_literal(const Settings& token) {
  for (const char* key : {"single_word", "lstrip", "rstrip"}) token.must_be(key, false, {json()});
}

std::vector<AddedToken> added_tokens(const Settings& file, const std::string& name) {
  const json& list = file.at("added_tokens");
  if (list.is_null()) return {};
  if (!list.is_array()) file.refuse("added_tokens", list, "an array");
  std::vector<AddedToken> tokens;
  for (const json& entry : list) {
    const Settings token(entry, name, fmt::format("added_tokens[{}]", tokens.size()));
    const json &text = token.at("content"), &id = token.at("id");
    const bool is_token = text.is_string() && id.is_number_unsigned() && id.get<uint64_t>() < 1 << 24;
    if (!is_token) token.refuse("an added token", entry, "a content and an id");
    check_is_literal(token);
    tokens.push_back({text.get<std::string>(), id.get<int32_t>()});
  }
  return tokens;
}

// Merges are "left right" or, since tokenizers 0.20, ["left", "right"]; no spelling contains white space.
Merge merge_of(const json& value, const Vocabulary& vocabulary, const std::string& where) {
  std::string left, right;
  if (value.is_array() && value.size() == 2 && value[0].is_string() && value[1].is_string()) {
    left = value[0].get<std::string>();
    right = value[1].get<std::string>();
  } else if (value.is_string()) {
    const std::string line = value.get<std::string>();
    left = line.substr(0, line.find(' '));
    right = line.substr(std::min(left.size() + 1, line.size()));
  }
  const bool is_pair =
      !left.empty() && !right.empty() && (left + right).find_first_of(" \r\n") == std::string::npos;
  if (!is_pair) fail("{}: {} is not a merge, which is two tokens", where, escaped(value));
  return make_merge(left, right, vocabulary, where);
}

void check_model(const Settings& model) {
  model.must_be("type", "BPE", {json()});  // files from before 2022 lack the type
  model.must_be("dropout", json(), {0.0});
  model.must_be("continuing_subword_prefix", "", {json()});
  model.must_be("end_of_word_suffix", "", {json()});
  model.must_be("byte_fallback", false, {json()});
  model.must_be("ignore_merges", false, {json()});
}

// Adds the tokens in `value` to `named`: a text, an object with a content, or several of them. Every setting whose name
// ends in _token names one, and transformers makes each of them special.
void name_tokens(const json& value, const std::string& key, const Settings& file, const std::string& name,
                 std::vector<NamedToken>& named) {
  static const std::set<std::string> kLists = {"additional_special_tokens", "extra_special_tokens",
                                               "model_specific_special_tokens"};
  const bool is_list = kLists.contains(key);
  if (value.is_null() || value.is_boolean() || !(is_list || key.ends_with("_token"))) return;
  const bool is_many = is_list && (value.is_array() || value.is_object());
  for (const json& one : is_many ? value : json::array({value})) {
    const json& text = one.is_object() ? one.value("content", json()) : one;
    if (!text.is_string() || text == "") file.refuse(key, value, "a text");
    if (one.is_object()) check_is_literal(Settings(one, name, key));
    if (key == "eos_token" && text != kEndOfText) file.refuse(key, text, json(kEndOfText).dump());
    named.push_back({name + ": " + key, text.get<std::string>()});
  }
}

// "added_tokens_decoder": {"50257": {"content": "[PAD]", "lstrip": false, ...}}
void decode_added_tokens(const Settings& file, const std::string& name, std::vector<AddedToken>& added) {
  const json& tokens = file.at("added_tokens_decoder");
  if (tokens.is_null()) return;
  if (!tokens.is_object()) file.refuse("added_tokens_decoder", tokens, "an object of ids and their tokens");
  for (const auto& [key, value] : tokens.items()) {
    const Settings token(value, name, "added_tokens_decoder." + key);
    int32_t id = -1;
    const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), id);
    const bool is_token = error == std::errc() && end == key.data() + key.size() && id >= 0 && id < 1 << 24 &&
                          token.at("content").is_string();
    if (!is_token) file.refuse("added_tokens_decoder", json{{key, value}}, "an id and a content");
    check_is_literal(token);
    added.push_back({token.at("content").get<std::string>(), id});
  }
}

}  // namespace

void parse_tokenizer_config(std::string_view text, const std::string& name, TokenizerConfig& config) {
  const json object = parse_json(text, name);
  require(object.is_object(), "{}: not a tokenizer's settings, which are a JSON object", name);
  const Settings file(object, name, "");
  file.must_be("tokenizer_class", "GPT2Tokenizer",
               {json(), "GPT2TokenizerFast", "PreTrainedTokenizerFast", "TokenizersBackend"});
  for (const char* key : {"add_prefix_space", "add_bos_token", "add_eos_token", "split_special_tokens"})
    file.must_be(key, false, {json()});
  for (const auto& [key, value] : object.items()) name_tokens(value, key, file, name, config.named);
  decode_added_tokens(file, name, config.added);
}

std::unique_ptr<BpeTokenizer> parse_tokenizer_json(std::string_view text, const std::string& name,
                                                   const TokenizerConfig& config) {
  const json object = parse_json(text, name);
  require(object.is_object(), "{}: not a tokenizer, which is a JSON object", name);
  const Settings file(object, name, "");
  const Settings model(file.at("model"), name, "model");
  check_model(model);
  file.must_be("normalizer", json(), {});
  check_pre_tokenizer(file, name);
  check_post_processor(file, name);
  Settings(file.at("decoder"), name, "decoder").must_be("type", "ByteLevel");

  const json &tokens = model.at("vocab"), &pairs = model.at("merges");
  if (!tokens.is_object()) model.refuse("model.vocab", tokens, "an object of tokens and their ids");
  if (!pairs.is_array()) model.refuse("model.merges", pairs, "an array");
  std::vector<AddedToken> added = added_tokens(file, name);
  added.insert(added.end(), config.added.begin(), config.added.end());
  Vocabulary vocabulary = make_vocabulary(tokens, std::move(added), name, config.named);
  std::vector<Merge> merges;
  for (const json& pair : pairs)
    merges.push_back(merge_of(pair, vocabulary, fmt::format("{}: model.merges[{}]", name, merges.size())));
  require_all_made(vocabulary, merges, name);
  return std::make_unique<BpeTokenizer>(std::move(vocabulary), without_repeats(merges));
}

}  // namespace gpt2
