#include "common/nn/pretrained.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <functional>
#include <string>
#include <tuple>
#include <utility>

#include "common/data/npy.h"
#include "common/nn/hf_config.h"
#include "common/nn/layers.h"
#include "common/optim/adamw.h"
#include "tests/common/files.h"
#include "tests/common/golden.h"
#include "tests/common/testing.h"

namespace step02 {
#include "steps/02_hf_weights/gpt2.h"
}
namespace step04 {
#include "steps/04_overfit/gpt2.h"
}

namespace step12 {
#include "paths.h"
#include "steps/12_ddp/gpt2.h"
}  // namespace step12

namespace gpt2::testing {
namespace {

const std::string kFixture = GPT2_SOURCE_DIR "/data/fixtures/tiny-gpt2";

class PretrainedTest : public OnEveryDevice {
 protected:
  // By step 02's model, which has a lm_head.weight of its own, and by step 04's, which ties the two.
  void expect_golden_logits(const std::string& directory, const std::string& logits, const char* ids_name) {
    SCOPED_TRACE(directory);
    const auto ids = golden_json("hf.json").at(ids_name).get<std::vector<int32_t>>();
    const NpyFile golden(golden_path(logits));
    const std::vector<float> expected = golden.values<float>();
    const Tensor idx = from_vector(ids, {1, int64_t(ids.size())}, device());
    const NoGrad no_grad;
    step02::GPT untied(step02::config_from(directory));
    nn::load(untied, directory);
    untied.to(device());
    EXPECT_LE(max_relative_error(untied(idx).to_vector<float>(), expected), 1e-4);
    step04::GPT tied(step04::config_from(directory));
    nn::load(tied, directory);
    tied.to(device());
    EXPECT_LE(max_relative_error(tied(idx).to_vector<float>(), expected), 1e-4);
  }
};

TEST_P(PretrainedTest, TheFixtureGivesTransformersLogits) {
  expect_golden_logits(kFixture, "tiny_gpt2_logits.npy", "tiny_gpt2_ids");
}

TEST_P(PretrainedTest, EveryVariantOfACheckpointGivesTransformersLogits) {
  for (const std::string variant :
       {"untied", "sharded", "f16", "bf16", "f64", "no_prefix", "mask_buffers", "n_inner", "head_only"}) {
    expect_golden_logits(golden_path("hf_" + variant), "hf_" + variant + "/logits.npy", "variant_ids");
  }
}

// The key by which a case of hf_options.json is refused; empty if the case is obeyed.
std::string refused_key(const std::string& name) {
  for (const std::string good :
       {"gelu_new", "gelu_pytorch_tanh", "gelu_python_tanh", "gelu_fast", "gelu_accurate"})
    if (name == "activation_" + good) return "";
  if (name.starts_with("activation_")) return "activation_function";
  if (name == "heads_contradict") return "num_attention_heads";
  if (name == "not_causal") return "is_causal";
  return name == "pruned" ? "pruned_heads" : "";
}

// The logits of the last position, by a model of the folder.
template <class GPT, class Config>
std::vector<float> last_logits(const Config& config, const std::string& directory, const Tensor& idx) {
  GPT model(config);
  nn::load(model, directory);
  model.to(idx.device());
  const Tensor logits = model(idx);
  return logits.slice(1, logits.size(1) - 1, 1).contiguous().template to_vector<float>();
}

// Whatever config.json says: transformers' logits, or an error that names the key. The models are step 02's, step
// 04's, and step 12's with its flash attention and padded vocabulary.
TEST_P(PretrainedTest, EveryOptionOfTheConfigIsObeyedOrRefusedByName) {
  const auto golden = golden_json("hf_options.json");
  const GoldenTensors logits("hf_options.safetensors");
  const auto ids = golden.at("ids").get<std::vector<int32_t>>();
  const Tensor idx = from_vector(ids, {1, int64_t(ids.size())}, device());
  const NoGrad no_grad;
  for (const auto& [name, changes] : golden.at("cases").items()) {
    SCOPED_TRACE(name);
    const TempDir folder;
    std::filesystem::copy(kFixture + "/model.safetensors", folder.path());
    auto config = golden_json("../../data/fixtures/tiny-gpt2/config.json");
    config.merge_patch(changes);  // null removes a key
    put_file(folder / "config.json", config.dump());
    if (const std::string key = refused_key(name); !key.empty()) {
      EXPECT_ERROR(step02::config_from(folder.path()), folder / "config.json" + ": ");
      EXPECT_ERROR(step02::config_from(folder.path()), key);
      continue;
    }
    const std::vector<float> expected = logits.floats(name);
    const auto from = folder.path();
    EXPECT_LE(max_relative_error(last_logits<step02::GPT>(step02::config_from(from), from, idx), expected),
              1e-4);
    EXPECT_LE(max_relative_error(last_logits<step04::GPT>(step04::config_from(from), from, idx), expected),
              1e-4);
    EXPECT_LE(max_relative_error(last_logits<step12::GPT>(step12::config_from(from), from, idx), expected),
              1e-4);
  }
}

// The same names and the same bits.
void expect_same_parameters(const nn::Module& a, const nn::Module& b) {
  const auto expected = a.named_parameters(), actual = b.named_parameters();
  ASSERT_EQ(actual.size(), expected.size());
  for (size_t i = 0; i < expected.size(); ++i) {
    ASSERT_EQ(actual[i].name, expected[i].name);
    EXPECT_EQ(actual[i].tensor->to_vector<float>(), expected[i].tensor->to_vector<float>())
        << expected[i].name;
  }
}

// The hidden channels beyond n_inner are no part of the model: no gradient reaches them.
TEST_P(PretrainedTest, HiddenChannelsThatTheFileDoesNotHaveStayZeroInTraining) {
  const std::string source = golden_path("hf_n_inner");
  step12::GPT model(step12::config_from(source));
  nn::load(model, source);
  model.to(device());
  optim::AdamW optimizer(model, {});
  const Tensor x = from_vector(std::vector<int32_t>{1, 2, 3, 4}, {1, 4}, device());
  for (int step = 0; step < 3; ++step) {
    optimizer.zero_grad();
    model(x, x).second.backward();
    optimizer.step();
  }
  const TempDir cut, whole;
  const HfConfig config = read_hf_config(source);
  HfConfig padded = config;
  padded.n_inner.reset();
  nn::save(model, config, cut.path());
  nn::save(model, padded, whole.path());
  EXPECT_EQ(SafetensorsCheckpoint(cut.path()).find("transformer.h.1.mlp.c_fc.weight")->shape,
            (Shape{10, 23}));
  EXPECT_EQ(SafetensorsCheckpoint(whole.path()).find("transformer.h.1.mlp.c_fc.weight")->shape,
            (Shape{10, 40}));
  EXPECT_EQ(last_logits<step12::GPT>(step12::config_from(cut.path()), cut.path(), x),
            last_logits<step12::GPT>(step12::config_from(whole.path()), whole.path(), x));
  step12::GPT again(step12::config_from(cut.path()));
  nn::load(again, cut.path());
  expect_same_parameters(model, again);
}

TEST_P(PretrainedTest, LoadsIntoAModelThatIsOnItsDevice) {
  step04::GPT early(step04::config_from(kFixture)), late(step04::config_from(kFixture));
  early.to(device());
  nn::load(early, kFixture);
  nn::load(late, kFixture);
  const auto a = early.named_parameters(), b = late.named_parameters();
  ASSERT_EQ(a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i) {
    EXPECT_EQ(a[i].tensor->to_vector<float>(), b[i].tensor->to_vector<float>()) << a[i].name;
    EXPECT_EQ(a[i].tensor->storage(), a[0].tensor->storage()) << a[i].name;
  }
}

TEST_P(PretrainedTest, WhatIsSavedLoadsWithTheSameBits) {
  for (const std::string& source : {kFixture, golden_path("hf_untied"), golden_path("hf_n_inner")}) {
    SCOPED_TRACE(source);
    const HfConfig config = read_hf_config(source);
    step12::GPT model(step12::config_from(source)), again(step12::config_from(source));
    nn::load(model, source);
    model.to(device());
    const TempDir folder;
    nn::save(model, config, folder.path());
    EXPECT_EQ(folder.names(), (std::vector<std::string>{"config.json", "model.safetensors"}));
    EXPECT_EQ(read_hf_config(folder.path()), config);
    nn::load(again, folder.path());
    expect_same_parameters(model, again);
  }
}

TEST_P(PretrainedTest, TheSavedFileHasTransformersNamesAndShapesAndNoPadding) {
  step12::GPT model(step12::config_from(kFixture));  // 384 rows for a vocabulary of 257
  nn::load(model, kFixture);
  const TempDir folder;
  nn::save(model, read_hf_config(kFixture), folder.path());
  const SafetensorsCheckpoint saved(folder.path()), original(kFixture);
  ASSERT_EQ(saved.entries().size(), original.entries().size());
  for (const auto& [name, entry] : original.entries()) {
    ASSERT_NE(saved.find(name), nullptr) << name;
    EXPECT_EQ(saved.find(name)->shape, entry.shape) << name;
    EXPECT_TRUE(std::ranges::equal(saved.find(name)->bytes, entry.bytes)) << name;
  }
}

INSTANTIATE_ON_EVERY_DEVICE(PretrainedTest);

// The fixture with its tensors changed, in a folder of its own.
class BadCheckpoint {
 public:
  using Entries = std::vector<SafetensorsEntry>;

  explicit BadCheckpoint(const std::function<void(Entries&)>& change) {
    const SafetensorsFile file(kFixture + "/model.safetensors");
    Entries entries = file.entries();
    change(entries);
    write_safetensors(folder_ / "model.safetensors", entries);
    std::filesystem::copy(kFixture + "/config.json", folder_.path());
  }
  std::string path() const { return folder_.path(); }

  // What loading says; the model's parameters must still be those it had at the start, or the file's.
  std::string error() const {
    step02::GPT model(step02::config_from(path()));
    return error_of([&] { nn::load(model, path()); });
  }

 private:
  TempDir folder_;
};

SafetensorsEntry& named(BadCheckpoint::Entries& entries, const std::string& name) {
  const auto entry =
      std::find_if(entries.begin(), entries.end(), [&](const auto& e) { return e.name == name; });
  require(entry != entries.end(), "the fixture has no tensor {}", name);
  return *entry;
}

TEST(BadPretrained, TheUnchangedFixtureIsGood) {
  const BadCheckpoint same([](auto&) {});
  step02::GPT model(step02::config_from(same.path()));
  EXPECT_NO_THROW(nn::load(model, same.path()));
}

TEST(BadPretrained, AMissingTensorIsNamed) {
  for (const std::string name :
       {"transformer.wte.weight", "transformer.h.2.mlp.c_fc.bias", "transformer.ln_f.weight"}) {
    const BadCheckpoint bad(
        [&](auto& entries) { std::erase_if(entries, [&](auto& e) { return e.name == name; }); });
    const std::string error = bad.error();
    EXPECT_EQ(error.find(bad.path() + ": tensor "), 0u) << error;
    EXPECT_NE(error.find(" is missing"), std::string::npos) << error;
    // Without the embedding, the tied output layer may be what is noticed first.
    if (name != "transformer.wte.weight") {
      EXPECT_NE(error.find(name), std::string::npos) << error;
    }
  }
}

TEST(BadPretrained, AnExtraTensorIsNamed) {
  for (const std::string name :
       {"transformer.h.3.ln_1.weight", "score.weight", "transformer.h.0.attn.bias.1"}) {
    const BadCheckpoint bad([&](auto& entries) {
      entries.push_back(named(entries, "transformer.ln_f.bias"));
      entries.back().name = name;
    });
    EXPECT_EQ(bad.error(), bad.path() + "/model.safetensors: tensor " + name +
                               " belongs to no layer of this GPT-2; do config.json and the weights match?");
  }
}

TEST(BadPretrained, ATensorThatIsThereWithAndWithoutPrefixIsNamed) {
  const BadCheckpoint bad([&](auto& entries) {
    entries.push_back(named(entries, "transformer.ln_f.bias"));
    entries.back().name = "ln_f.bias";
  });
  EXPECT_NE(bad.error().find("tensor ln_f.bias belongs to no layer"), std::string::npos);
}

TEST(BadPretrained, ATensorOfAnotherShapeIsNamedWithBothShapes) {
  const BadCheckpoint transposed([](auto& entries) {
    Shape& shape = named(entries, "transformer.h.1.attn.c_attn.weight").shape;
    std::swap(shape[0], shape[1]);
  });
  EXPECT_EQ(transposed.error(),
            transposed.path() +
                "/model.safetensors: tensor transformer.h.1.attn.c_attn.weight has shape (117, "
                "39), config.json says (39, 117)");
  const BadCheckpoint flat([](auto& entries) { named(entries, "transformer.wpe.weight").shape = {37 * 39}; });
  EXPECT_NE(flat.error().find("tensor transformer.wpe.weight has shape (1443), config.json says (37, 39)"),
            std::string::npos);
}

TEST(BadPretrained, ATensorOfAnotherTypeIsNamed) {
  const BadCheckpoint bad([](auto& entries) { named(entries, "transformer.ln_f.bias").dtype = "I32"; });
  EXPECT_NE(bad.error().find("transformer.ln_f.bias"), std::string::npos);
  EXPECT_NE(bad.error().find("I32"), std::string::npos);
}

// One value in each of several tensors, of every kind that is not finite.
TEST(BadPretrained, AValueThatIsNotFiniteIsNamed) {
  for (const std::string name : {"transformer.wte.weight", "transformer.wpe.weight", "transformer.ln_f.bias",
                                 "transformer.h.0.attn.c_attn.weight", "transformer.h.2.mlp.c_proj.bias"}) {
    for (const float value : {NAN, INFINITY, -INFINITY}) {
      std::vector<float> values;  // outlives the entries, which look at it
      const BadCheckpoint bad([&](auto& entries) {
        SafetensorsEntry& entry = named(entries, name);
        values.resize(size_t(entry.numel()));
        read_float32(entry, values);
        values.back() = value;
        entry.bytes = std::as_bytes(std::span(values));
      });
      EXPECT_EQ(
          bad.error(),
          fmt::format("{}/model.safetensors: tensor {}: value {} is {}, not a finite number; use another "
                      "checkpoint, this one is damaged or its training diverged",
                      bad.path(), name, values.size() - 1, value));
    }
  }
}

// config.json says something else than the tensors do.
TEST(BadPretrained, AContradictionWithTheConfigNamesATensor) {
  const struct {
    const char *from, *to, *error;
  } cases[] = {
      {"\"n_layer\": 3", "\"n_layer\": 2", "tensor transformer.h.2."},
      {"\"n_layer\": 3", "\"n_layer\": 4", "tensor transformer.h.3.ln_1.weight is missing"},
      {"\"n_embd\": 39", "\"n_embd\": 42",
       "tensor transformer.wte.weight has shape (257, 39), config.json says (257, 42)"},
      {"\"vocab_size\": 257", "\"vocab_size\": 300", "has shape (257, 39), config.json says (300, 39)"},
      {"\"n_positions\": 37", "\"n_positions\": 64", "tensor transformer.wpe.weight has shape (37, 39)"},
      {"\"tie_word_embeddings\": true", "\"tie_word_embeddings\": false", "tensor lm_head.weight is missing"},
  };
  for (const auto& c : cases) {
    const BadCheckpoint bad([](auto&) {});
    std::string config = file_bytes(kFixture + "/config.json");
    const size_t at = config.find(c.from);
    ASSERT_NE(at, std::string::npos) << c.from;
    put_file(bad.path() + "/config.json", config.replace(at, std::strlen(c.from), c.to));
    const std::string error = bad.error();
    EXPECT_NE(error.find(c.error), std::string::npos) << error;
  }
}

// A checkpoint whose config.json ties the two may store lm_head.weight as well; one that does not must.
TEST(Pretrained, ATiedOutputLayerMayBeStoredTwice) {
  const BadCheckpoint twice([](auto& entries) {
    entries.push_back(named(entries, "transformer.wte.weight"));
    entries.back().name = "lm_head.weight";
  });
  step02::GPT untied(step02::config_from(twice.path()));
  nn::load(untied, twice.path());
  EXPECT_EQ(untied.lm_head.weight.to_vector<float>(), untied.transformer.wte.weight.to_vector<float>());
  step04::GPT tied(step04::config_from(twice.path()));
  EXPECT_NO_THROW(nn::load(tied, twice.path()));
}

// transformers 5 would use it, transformers 4 would not.
TEST(BadPretrained, ATiedOutputLayerThatDiffersIsNamed) {
  std::vector<float> values;
  const BadCheckpoint bad([&](auto& entries) {
    const SafetensorsEntry embedding = named(entries, "transformer.wte.weight");
    values.resize(size_t(embedding.numel()));
    read_float32(embedding, values);
    values.back() += 1;
    entries.push_back(embedding);
    entries.back().name = "lm_head.weight";
    entries.back().bytes = std::as_bytes(std::span(values));
  });
  const std::string error = bad.path() +
                            "/model.safetensors: tensor lm_head.weight differs from "
                            "transformer.wte.weight, but config.json ties the two";
  step04::GPT tied(step04::config_from(bad.path()));
  EXPECT_ERROR(nn::load(tied, bad.path()), error);
  EXPECT_EQ(bad.error().find(error), 0u);  // step 02's model
  std::string config = file_bytes(bad.path() + "/config.json");
  config.replace(config.find("\"tie_word_embeddings\": true"), 27, "\"tie_word_embeddings\": false");
  put_file(bad.path() + "/config.json", config);
  step04::GPT untied(step04::config_from(bad.path()));
  nn::load(untied, bad.path());
  EXPECT_EQ(untied.lm_head.weight.to_vector<float>(), values);
}

}  // namespace
}  // namespace gpt2::testing
