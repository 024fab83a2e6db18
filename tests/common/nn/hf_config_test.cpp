#include "common/nn/hf_config.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/common/files.h"

namespace gpt2 {
namespace {

using testing::put_file;
using testing::TempDir;

// What the Hub has for `gpt2`, shortened.
constexpr const char* kGpt2 = R"({
  "activation_function": "gelu_new",
  "architectures": ["GPT2LMHeadModel"],
  "attn_pdrop": 0.1, "bos_token_id": 50256, "embd_pdrop": 0.1, "eos_token_id": 50256,
  "initializer_range": 0.02, "layer_norm_epsilon": 1e-05, "model_type": "gpt2",
  "n_ctx": 1024, "n_embd": 768, "n_head": 12, "n_layer": 12, "n_positions": 1024,
  "resid_pdrop": 0.1, "summary_activation": null, "summary_first_dropout": 0.1,
  "task_specific_params": {"text-generation": {"do_sample": true, "max_length": 50}},
  "vocab_size": 50257
})";

// A config.json with the sizes of GPT-2 and `others`, which may change them: "n_layer": 6
std::string with_sizes(const std::string& others = "{}") {
  nlohmann::json config = nlohmann::json::parse(
      R"({"vocab_size": 50257, "n_positions": 1024, "n_embd": 768, "n_layer": 12, "n_head": 12})");
  config.update(nlohmann::json::parse(others));
  return config.dump();
}

TEST(HfConfig, ReadsTheHubsGpt2) {
  const HfConfig config = parse_hf_config(kGpt2, "config.json");
  HfConfig expected;
  expected.eos_token_id = 50256;
  EXPECT_EQ(config, expected);
}

TEST(HfConfig, EveryFieldIsRead) {
  const HfConfig config = parse_hf_config(
      R"({"vocab_size": 99, "n_positions": 40, "n_embd": 24, "n_layer": 3, "n_head": 2, "n_inner": 95,)"
      R"("layer_norm_epsilon": 0.001, "activation_function": "gelu_pytorch_tanh", "tie_word_embeddings": false,)"
      R"("eos_token_id": 98, "scale_attn_weights": false, "scale_attn_by_inverse_layer_idx": true,)"
      R"("reorder_and_upcast_attn": true, "add_cross_attention": false})",
      "config.json");
  const HfConfig expected{99, 40, 24, 3, 2, 0.001, "gelu_pytorch_tanh", false, 98, 95, false, true};
  EXPECT_EQ(config, expected);
}

TEST(HfConfig, DefaultsAreThoseOfGpt2Config) {
  EXPECT_EQ(parse_hf_config(with_sizes(), "config.json"), HfConfig());
  for (const char* same : {R"({"n_inner": null, "eos_token_id": null})", R"({"n_inner": 3072})",
                           R"({"add_cross_attention": false, "is_causal": true})",
                           R"({"pruned_heads": {}, "per_layer_config": null, "quantization_config": null})"})
    EXPECT_EQ(parse_hf_config(with_sizes(same), "config.json"), HfConfig()) << same;
}

// The default of n_head, for one, would be another function of the same weights.
TEST(HfConfig, EverySizeMustBeThere) {
  const std::pair<const char*, const char*> sizes[] = {{"vocab_size", nullptr},
                                                       {"n_positions", "max_position_embeddings"},
                                                       {"n_embd", "hidden_size"},
                                                       {"n_layer", "num_hidden_layers"},
                                                       {"n_head", "num_attention_heads"}};
  for (const auto& [name, alias] : sizes) {
    nlohmann::json config = nlohmann::json::parse(with_sizes());
    const int value = config[name];
    config.erase(name);
    EXPECT_ERROR(parse_hf_config(config.dump(), "dir/config.json"),
                 fmt::format("dir/config.json: {} is missing; copy the config.json that belongs", name));
    if (alias == nullptr) continue;
    config[alias] = value;
    EXPECT_EQ(parse_hf_config(config.dump(), "c"), HfConfig());
  }
  EXPECT_ERROR(parse_hf_config("{}", "c"), "c: vocab_size, n_positions, n_embd, n_layer, n_head are missing");
}

TEST(HfConfig, EveryNameOfTheTanhApproximationIsAccepted) {
  for (const std::string name :
       {"gelu_new", "gelu_pytorch_tanh", "gelu_python_tanh", "gelu_fast", "gelu_accurate"}) {
    const std::string text = R"({"activation_function": ")" + name + R"("})";
    EXPECT_EQ(parse_hf_config(with_sizes(text), "config.json").activation_function, name);
  }
}

TEST(HfConfig, TheOtherNamesOfTheSizesAreAccepted) {
  const HfConfig config = parse_hf_config(
      R"({"max_position_embeddings": 40, "hidden_size": 24, "num_hidden_layers": 3, "num_attention_heads": 2,)"
      R"("vocab_size": 9})",
      "config.json");
  EXPECT_EQ(config.n_positions, 40);
  EXPECT_EQ(config.n_embd, 24);
  EXPECT_EQ(config.n_layer, 3);
  EXPECT_EQ(config.n_head, 2);
}

// transformers takes the second name where both are given; the model would then be another than the first one says.
TEST(HfConfig, TwoNamesOfASizeMustAgree) {
  const struct {
    const char *name, *alias;
    int value, other;
  } sizes[] = {{"n_positions", "max_position_embeddings", 1024, 512},
               {"n_embd", "hidden_size", 768, 384},
               {"n_layer", "num_hidden_layers", 12, 6},
               {"n_head", "num_attention_heads", 12, 2}};
  for (const auto& size : sizes) {
    const auto both = [&](int value, const std::string& alias_value) {
      return with_sizes(fmt::format(R"({{"{}": {}, "{}": {}}})", size.name, value, size.alias, alias_value));
    };
    EXPECT_EQ(parse_hf_config(both(size.value, std::to_string(size.value)), "c"), HfConfig());
    for (const std::string& other :
         {std::to_string(size.other), std::string("null"), std::string("\"12\"")}) {
      EXPECT_ERROR(parse_hf_config(both(size.value, other), "c"),
                   fmt::format("c: {} is {}, but {}, which is another name for it, is {}; they must be equal",
                               size.name, size.value, size.alias, other));
    }
  }
}

TEST(HfConfig, AnEndOfTextOutsideTheVocabularyIsNone) {
  EXPECT_EQ(parse_hf_config(with_sizes(R"({"vocab_size": 65, "eos_token_id": 50256})"), "c").eos_token_id,
            std::nullopt);
  EXPECT_EQ(parse_hf_config(with_sizes(R"({"eos_token_id": [50256]})"), "c").eos_token_id, std::nullopt);
}

TEST(HfConfig, WhatIsWrittenIsReadBack) {
  for (const HfConfig& config :
       {HfConfig(), HfConfig{257, 256, 128, 4, 4, 1e-6, "gelu_pytorch_tanh", false, 256},
        HfConfig{257, 256, 128, 4, 4, 1e-6, "gelu_fast", true, std::nullopt, 100}})
    EXPECT_EQ(parse_hf_config(to_json(config), "config.json"), config);
}

TEST(HfConfig, IsReadFromItsFolder) {
  const TempDir dir;
  EXPECT_ERROR(read_hf_config(dir.path()), dir / "config.json" + ": cannot open: No such file or directory");
  put_file(dir / "config.json", with_sizes(R"({"n_layer": 6})"));
  EXPECT_EQ(read_hf_config(dir.path()).n_layer, 6);
  put_file(dir / "config.json", R"({"n_layer": )");
  EXPECT_ERROR(read_hf_config(dir.path()), dir / "config.json" + ": not valid JSON (line 1, column ");
  put_file(dir / "config.json", std::string(2'000'000, ' '));
  EXPECT_ERROR(read_hf_config(dir.path()), dir / "config.json" + ": larger than 1000000 bytes");
}

struct Bad {
  const char* json;
  const char* message;
};

class BadHfConfig : public ::testing::TestWithParam<Bad> {};

TEST_P(BadHfConfig, IsRefusedWithOneLineThatNamesTheAllowedValues) {
  EXPECT_ERROR(parse_hf_config(GetParam().json, "dir/config.json"),
               std::string("dir/config.json: ") + GetParam().message);
}

INSTANTIATE_TEST_SUITE_P(
    Values, BadHfConfig,
    ::testing::Values(
        Bad{"[]", "not a JSON object"}, Bad{"", "not valid JSON (line 1, column 1)"},
        Bad{R"({"n_layer": 1, "n_layer": 2})", R"(JSON has the key "n_layer" twice)"},
        Bad{R"({"n_layer": 0})", "n_layer is 0; it must be an integer from 1 to 10000"},
        Bad{R"({"n_layer": -1})", "n_layer is -1; it must be an integer from 1 to 10000"},
        Bad{R"({"n_layer": 12.0})", "n_layer is 12.0; it must be an integer"},
        Bad{R"({"n_layer": "12"})", R"(n_layer is "12"; it must be an integer)"},
        Bad{R"({"n_layer": null})", "n_layer is null; it must be an integer"},
        Bad{R"({"n_layer": 18446744073709551615})", "n_layer is 18446744073709551615; it must be an integer"},
        Bad{R"({"num_hidden_layers": 0})", "num_hidden_layers is 0; it must be an integer"},
        Bad{R"({"vocab_size": 1000000000000})", "vocab_size is 1000000000000; it must be an integer from 1"},
        Bad{R"({"n_positions": 0})", "n_positions is 0"}, Bad{R"({"n_embd": 0})", "n_embd is 0"},
        Bad{R"({"n_embd": 1152921504606846976})", "n_embd is 1152921504606846976"},
        Bad{R"({"n_head": 1000})", "n_head is 1000; it must be an integer from 1 to 768"},
        Bad{R"({"vocab_size": 9, "n_positions": 8, "n_embd": 768, "n_layer": 1, "n_head": 7})",
            "n_embd 768 is not a multiple of n_head 7"},
        Bad{R"({"n_inner": 3073})", "n_inner is 3073; it must be an integer from 1 to 3072"},
        Bad{R"({"n_inner": 0})", "n_inner is 0; it must be an integer from 1 to 3072"},
        Bad{R"({"layer_norm_epsilon": 0})", "layer_norm_epsilon is 0; it must be a number above 0"},
        Bad{R"({"layer_norm_epsilon": -1e-5})", "layer_norm_epsilon is -1e-05; it must be a number above 0"},
        Bad{R"({"layer_norm_epsilon": "1e-5"})", "layer_norm_epsilon is"},
        Bad{R"({"layer_norm_epsilon": 1e999})", "not valid JSON (a number is out of range)"},
        Bad{R"({"tie_word_embeddings": 1})", "tie_word_embeddings is 1; it must be true or false"}));

INSTANTIATE_TEST_SUITE_P(
    OtherModels, BadHfConfig,
    ::testing::Values(
        Bad{R"({"model_type": "llama"})", R"(model_type is "llama"; it must be gpt2)"},
        Bad{R"({"model_type": "gpt2\n"})", R"(model_type is "gpt2\n"; it must be gpt2)"},
        Bad{R"({"activation_function": "gelu"})",
            R"(activation_function is "gelu"; it must be gelu_new or gelu_pytorch_tanh or gelu_python_tanh or )"
            "gelu_fast or gelu_accurate"},
        Bad{R"({"activation_function": ["gelu_new"]})", R"(activation_function is ["gelu_new"]; it must be)"},
        Bad{R"({"scale_attn_weights": null})", "scale_attn_weights is null; it must be true or false"},
        Bad{R"({"scale_attn_by_inverse_layer_idx": 1})",
            "scale_attn_by_inverse_layer_idx is 1; it must be true or false"},
        Bad{R"({"is_causal": false})", "is_causal is false; it must be true"},
        Bad{R"({"pruned_heads": {"1": [0]}})", R"(pruned_heads is {"1":[0]}; it must be absent or empty)"},
        Bad{R"({"per_layer_config": {"1": {"n_head": 1}}})", "per_layer_config is"},
        Bad{R"({"quantization_config": {"load_in_8bit": true}})", "quantization_config is"},
        Bad{R"({"add_cross_attention": true})", "add_cross_attention is true; it must be false"}));

}  // namespace
}  // namespace gpt2
