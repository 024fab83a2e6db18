#include "common/nn/module.h"

#include <set>

#include "common/nn/hf_config.h"
#include "common/nn/layers.h"
#include "common/nn/pretrained.h"
#include "tests/common/golden.h"
#include "tests/common/testing.h"

namespace step01 {
#include "steps/01_module/gpt2.h"
}
namespace step04 {
#include "steps/04_overfit/gpt2.h"
}

namespace gpt2::testing {
namespace {

std::vector<std::string> names_of(const nn::Module& model) {
  std::vector<std::string> names;
  for (const auto& parameter : model.named_parameters()) names.push_back(parameter.name);
  return names;
}

TEST(Module, NamesAndShapesOfGpt2AreTheCheckpointsInItsOrder) {
  const step01::GPT model({.block_size = 7, .vocab_size = 11, .n_layer = 2, .n_head = 2, .n_embd = 4});
  const std::vector<std::pair<std::string, Shape>> layer = {{"ln_1.weight", {4}},
                                                            {"ln_1.bias", {4}},
                                                            {"attn.c_attn.weight", {12, 4}},
                                                            {"attn.c_attn.bias", {12}},
                                                            {"attn.c_proj.weight", {4, 4}},
                                                            {"attn.c_proj.bias", {4}},
                                                            {"ln_2.weight", {4}},
                                                            {"ln_2.bias", {4}},
                                                            {"mlp.c_fc.weight", {16, 4}},
                                                            {"mlp.c_fc.bias", {16}},
                                                            {"mlp.c_proj.weight", {4, 16}},
                                                            {"mlp.c_proj.bias", {4}}};
  std::vector<std::pair<std::string, Shape>> expected = {{"transformer.wte.weight", {11, 4}},
                                                         {"transformer.wpe.weight", {7, 4}}};
  for (const std::string index : {"0", "1"}) {
    for (const auto& [name, shape] : layer)
      expected.push_back({"transformer.h." + index + "." + name, shape});
  }
  expected.push_back({"transformer.ln_f.weight", {4}});
  expected.push_back({"transformer.ln_f.bias", {4}});
  expected.push_back({"lm_head.weight", {11, 4}});
  std::vector<std::pair<std::string, Shape>> actual;
  for (const auto& [name, tensor] : model.named_parameters()) actual.push_back({name, tensor->shape()});
  EXPECT_EQ(actual, expected);
}

TEST(Module, Gpt2HasAHundredAndFortyNineTensorsAndOneLessWhenTied) {
  const step01::GPT untied({.block_size = 2, .vocab_size = 3, .n_layer = 12, .n_head = 1, .n_embd = 2});
  EXPECT_EQ(untied.named_parameters().size(), 149u);
  const step04::GPT tied({.block_size = 2, .vocab_size = 3, .n_layer = 12, .n_head = 1, .n_embd = 2});
  EXPECT_EQ(tied.named_parameters().size(), 148u);
  EXPECT_EQ(untied.num_parameters() - tied.num_parameters(), 3 * 2);
}

TEST(Module, ATiedParameterIsListedOnceUnderItsFirstName) {
  const step04::GPTConfig config = {
      .block_size = 7, .vocab_size = 11, .n_layer = 1, .n_head = 2, .n_embd = 4};
  step04::GPT model(config);
  const auto names = names_of(model);
  EXPECT_EQ(std::count(names.begin(), names.end(), "transformer.wte.weight"), 1);
  EXPECT_EQ(std::count(names.begin(), names.end(), "lm_head.weight"), 0);
  EXPECT_EQ(model.lm_head.weight.variable(), model.transformer.wte.weight.variable());
  step04::GPTConfig apart = config;
  apart.tie_word_embeddings = false;
  EXPECT_EQ(names_of(step04::GPT(apart)).back(), "lm_head.weight");
}

TEST(Module, ApplyVisitsChildrenBeforeTheirParent) {
  step01::GPT model({.block_size = 2, .vocab_size = 3, .n_layer = 2, .n_head = 1, .n_embd = 2});
  std::vector<std::string> visited;
  model.apply([&](nn::Module& module) { visited.push_back(module.name()); });
  const std::vector<std::string> block = {"ln_1", "c_attn", "c_proj", "attn",
                                          "ln_2", "c_fc",   "c_proj", "mlp"};
  std::vector<std::string> expected = {"wte", "wpe"};
  for (const std::string index : {"0", "1"}) {
    expected.insert(expected.end(), block.begin(), block.end());
    expected.push_back(index);
  }
  expected.insert(expected.end(), {"h", "ln_f", "transformer", "lm_head", ""});
  EXPECT_EQ(visited, expected);
}

TEST(ModuleList, IteratesOverItsChildrenInPlace) {
  nn::Module root;
  nn::ModuleList<nn::LayerNorm> list(&root, "h", 3, int64_t{4});
  int64_t i = 0;
  for (nn::LayerNorm& child : list) {
    EXPECT_EQ(&child, &list[i]);
    EXPECT_EQ(child.name(), std::to_string(i++));
  }
  EXPECT_EQ(i, list.size());
  EXPECT_EQ(names_of(root)[3], "h.1.bias");
}

class ModuleTo : public OnEveryDevice {
 protected:
  // Odd sizes, so that parameters end between two multiples of the alignment.
  const step04::GPTConfig config_{.block_size = 7, .vocab_size = 33, .n_layer = 2, .n_head = 1, .n_embd = 9};
};

TEST_P(ModuleTo, LaysTheParametersOutInOneBlockOfMemory) {
  step04::GPT model(config_);
  model.to(device());
  const auto parameters = model.named_parameters();
  const Tensor& first = *parameters[0].tensor;
  int64_t end = 0, smallest_matrix = first.numel(), end_of_matrices = 0;
  std::set<int64_t> offsets;
  for (const auto& [name, tensor] : parameters) {
    EXPECT_EQ(tensor->storage(), first.storage()) << name;
    EXPECT_EQ(tensor->device(), device()) << name;
    EXPECT_TRUE(tensor->is_contiguous()) << name;
    EXPECT_EQ(reinterpret_cast<uintptr_t>(tensor->data<float>()) % 256, 0u) << name;
    EXPECT_TRUE(offsets.insert(tensor->offset()).second) << name;
    end = std::max(end, tensor->offset() + tensor->numel());
    if (tensor->dim() >= 2) {
      end_of_matrices = std::max(end_of_matrices, tensor->offset() + tensor->numel());
      smallest_matrix = std::min(smallest_matrix, tensor->numel());
    }
  }
  for (const auto& [name, tensor] : parameters) {
    if (tensor->dim() < 2) {
      EXPECT_GE(tensor->offset(), end_of_matrices) << name;
    }
    const auto next = offsets.upper_bound(tensor->offset());
    EXPECT_LE(tensor->offset() + tensor->numel(), next == offsets.end() ? end : *next) << name << " overlaps";
  }
  EXPECT_GT(smallest_matrix, 0);
  EXPECT_GE(first.storage()->bytes(), size_t(end) * sizeof(float));
  EXPECT_LE(first.storage()->bytes(), size_t(end) * sizeof(float) + 256);
}

TEST_P(ModuleTo, KeepsValuesAndVariablesAndZeroesTheGaps) {
  step04::GPT model(config_);
  std::vector<std::vector<float>> values;
  std::vector<std::shared_ptr<Variable>> variables;
  double sum = 0;
  for (const auto& [name, tensor] : model.named_parameters()) {
    values.push_back(tensor->to_vector<float>());
    variables.push_back(tensor->variable());
    for (const float value : values.back()) sum += std::abs(double(value));
  }
  for (const Device to : {device(), kCpu, device()}) {  // and back
    model.to(to);
    const auto parameters = model.named_parameters();
    ASSERT_EQ(parameters.size(), values.size());
    for (size_t i = 0; i < parameters.size(); ++i) {
      EXPECT_EQ(parameters[i].tensor->to_vector<float>(), values[i]) << parameters[i].name;
      EXPECT_EQ(parameters[i].tensor->variable(), variables[i]) << parameters[i].name;
    }
    const auto storage = parameters[0].tensor->storage();
    const int64_t n = int64_t(storage->bytes() / sizeof(float));
    double total = 0;
    for (const float value : Tensor(storage, 0, {n}, {1}, DType::f32).to_vector<float>())
      total += std::abs(double(value));
    EXPECT_NEAR(total, sum, 1e-9 * sum);
  }
}

TEST_P(ModuleTo, KeepsTiesAndFreesWhatTheParametersHeldBefore) {
  const size_t before = heap(kCpu).bytes_in_use(), on_device = heap(device()).bytes_in_use();
  step04::GPT model(config_);
  model.to(device());
  EXPECT_EQ(model.lm_head.weight.data<float>(), model.transformer.wte.weight.data<float>());
  EXPECT_EQ(model.lm_head.weight.variable(), model.transformer.wte.weight.variable());
  const size_t pool = (model.lm_head.weight.storage()->bytes() + 255) / 256 * 256;
  EXPECT_EQ(heap(device()).bytes_in_use(), on_device + pool);
  if (device() != kCpu) {
    EXPECT_EQ(heap(kCpu).bytes_in_use(), before);
  }
}

INSTANTIATE_ON_EVERY_DEVICE(ModuleTo);

// torch's own parameters after manual_seed (tests/golden/init.py): names, order, shapes, values.
void expect_initialised_as_torch(const nn::Module& model, const nlohmann::ordered_json& golden) {
  std::vector<std::string> names;
  for (const auto& item : golden.items()) names.push_back(item.key());
  ASSERT_EQ(names_of(model), names);
  for (const auto& [name, tensor] : model.named_parameters()) {
    const auto& expected = golden.at(name);
    ASSERT_EQ(tensor->shape(), expected.at("shape").get<Shape>()) << name;
    const std::vector<float> values = tensor->to_vector<float>();
    const auto first = expected.at("first").get<std::vector<float>>();
    ASSERT_FALSE(first.empty());
    for (size_t i = 0; i < first.size(); ++i) EXPECT_LE(std::abs(values[i] - first[i]), 1e-6) << name;
    double sum = 0, magnitudes = 0;
    for (const double value : values) sum += value, magnitudes += std::abs(value);
    const double abs_sum = expected.at("abs_sum");
    EXPECT_LE(std::abs(magnitudes - abs_sum), 1e-7 * abs_sum) << name;
    EXPECT_LE(std::abs(sum - expected.at("sum").get<double>()), 1e-7 * abs_sum) << name;
  }
}

step01::GPTConfig step01_tiny() { return step01::config_named("tiny", 257); }

TEST(InitGolden, TinyModelsDrawWhatTorchDraws) {
  const auto golden = golden_json("init.json");
  nn::manual_seed(golden.at("seed"));
  expect_initialised_as_torch(step01::GPT(step01_tiny()), golden.at("tiny").at("01_module"));
  nn::manual_seed(golden.at("seed"));
  expect_initialised_as_torch(step04::GPT(step04::config_named("tiny", 257)),
                              golden.at("tiny").at("04_overfit"));
}

TEST(InitGolden, Gpt2DrawsWhatTorchDrawsSlow) {
  const auto golden = golden_json("init.json");
  {
    nn::manual_seed(golden.at("seed"));
    const step01::GPT model(step01::config_named("gpt2", 257));
    EXPECT_EQ(model.num_parameters(), 163'037'184);
    expect_initialised_as_torch(model, golden.at("gpt2").at("01_module"));
  }
  nn::manual_seed(golden.at("seed"));
  const step04::GPT model(step04::config_named("gpt2", 257));
  EXPECT_EQ(model.num_parameters(), 124'439'808);
  expect_initialised_as_torch(model, golden.at("gpt2").at("04_overfit"));
}

}  // namespace
}  // namespace gpt2::testing
