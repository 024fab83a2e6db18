#include "common/nn/llmc_model.h"

#include <array>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "common/nn/layers.h"
#include "common/nn/pretrained.h"
#include "common/tensor/bf16.h"
#include "tests/common/files.h"
#include "tests/common/golden.h"
#include "tests/common/testing.h"

namespace step02 {
#include "steps/02_hf_weights/gpt2.h"
}
namespace step12 {
#include "steps/12_ddp/gpt2.h"
}

namespace gpt2::testing {
namespace {

const std::string kFixture = GPT2_SOURCE_DIR "/data/fixtures/tiny-gpt2";  // 257 ids, 4 layers, 128 channels

// The fixture with llm.c's epsilon, in `dir`.
std::string fixture_in(const TempDir& dir) {
  const std::string folder = dir / "fixture";
  std::filesystem::create_directory(folder);
  std::filesystem::copy(kFixture + "/model.safetensors", folder);
  HfConfig config = read_hf_config(kFixture);
  config.layer_norm_epsilon = 1e-5;
  put_file(folder + "/config.json", to_json(config));
  return folder;
}

// The parameters of a model by name.
std::map<std::string, std::vector<float>> values_of(const nn::Module& model) {
  std::map<std::string, std::vector<float>> values;
  for (const auto& [name, tensor] : model.named_parameters()) values[name] = tensor->to_vector<float>();
  return values;
}

// What llm.c's train_gpt2.py writes for these values, after its write_tensors: float32, or the upper halves of float32.
std::string written_by_llmc(const std::map<std::string, std::vector<float>>& values, const HfConfig& config,
                            bool is_bf16, int64_t padded_vocab) {
  std::array<int32_t, 256> header{20240326,
                                  is_bf16 ? 5 : 3,
                                  int32_t(config.n_positions),
                                  int32_t(config.vocab_size),
                                  int32_t(config.n_layer),
                                  int32_t(config.n_head),
                                  int32_t(config.n_embd),
                                  int32_t(padded_vocab)};
  std::string file(reinterpret_cast<const char*>(header.data()), sizeof header);
  const auto add = [&](std::vector<float> tensor, int64_t n) {
    tensor.resize(size_t(n));
    for (const float value : tensor) {
      const auto bits = is_bf16 ? bf16(value).bits : 0;
      file.append(is_bf16 ? reinterpret_cast<const char*>(&bits) : reinterpret_cast<const char*>(&value),
                  is_bf16 ? 2 : 4);
    }
  };
  const auto whole = [&](const std::string& name) { add(values.at(name), std::ssize(values.at(name))); };
  auto embedding = values.at("transformer.wte.weight");
  embedding.resize(size_t(config.vocab_size * config.n_embd));  // without our own padding
  add(embedding, padded_vocab * config.n_embd);
  whole("transformer.wpe.weight");
  for (const char* name : {"ln_1.weight", "ln_1.bias", "attn.c_attn.weight", "attn.c_attn.bias",
                           "attn.c_proj.weight", "attn.c_proj.bias", "ln_2.weight", "ln_2.bias",
                           "mlp.c_fc.weight", "mlp.c_fc.bias", "mlp.c_proj.weight", "mlp.c_proj.bias"}) {
    for (int64_t layer = 0; layer < config.n_layer; ++layer)
      whole(fmt::format("transformer.h.{}.{}", layer, name));
  }
  whole("transformer.ln_f.weight");
  whole("transformer.ln_f.bias");
  return file;
}

class LlmcModelTest : public OnEveryDevice {
 protected:
  TempDir dir_;
};

TEST_P(LlmcModelTest, IsWrittenAsLlmcDoesAndReadWithTheSameBits) {
  const std::string source = fixture_in(dir_);
  step12::GPT model(step12::config_from(source));
  nn::load(model, source);
  model.to(device());
  const auto values = values_of(model);
  const std::string path = dir_ / "model.bin";
  for (const DType dtype : {DType::f32, DType::bf16}) {
    SCOPED_TRACE(to_string(dtype));
    const bool is_bf16 = dtype == DType::bf16;
    nn::save_llmc(model, read_hf_config(source), path, dtype);
    EXPECT_TRUE(file_bytes(path) == written_by_llmc(values, read_hf_config(source), is_bf16, 384));
    EXPECT_TRUE(nn::is_llmc_model(path));
    step12::GPT again(step12::config_from(path));
    nn::load(again, path);
    for (const auto& [name, found] : values_of(again)) {
      std::vector<float> expected = values.at(name);
      if (is_bf16)
        for (float& value : expected) value = bf16(value);
      EXPECT_EQ(found, expected) << name;
    }
  }
}

// Step 02's output layer is a parameter of its own; here the file has no padding.
TEST_P(LlmcModelTest, GivesTheLogitsOfTheFolderThatItWasMadeOf) {
  const std::string source = fixture_in(dir_);
  nn::Gpt2Weights weights(read_hf_config(source));
  nn::load(weights, source);
  put_file(dir_ / "model.bin", written_by_llmc(values_of(weights), read_hf_config(source), false, 257));
  const Tensor idx = from_vector(std::vector<int32_t>{1, 2, 3, 256}, {1, 4}, device());
  const auto logits = [&](const std::string& path) {
    const NoGrad no_grad;
    step02::GPT model(step02::config_from(path));
    nn::load(model, path);
    model.to(device());
    return model(idx).to_vector<float>();
  };
  EXPECT_EQ(logits(dir_ / "model.bin"), logits(source));
}

INSTANTIATE_ON_EVERY_DEVICE(LlmcModelTest);

// A small file that train_gpt2.py could have written: 5 ids in 8 rows, 2 layers, 2 heads, 4 channels.
struct SmallFile {
  HfConfig config{
      .vocab_size = 5, .n_positions = 3, .n_embd = 4, .n_layer = 2, .n_head = 2, .eos_token_id = {}};
  std::string bytes;

  SmallFile() {
    const nn::Gpt2Weights weights(config);
    auto values = values_of(weights);
    for (auto& [name, tensor] : values)
      for (size_t i = 0; i < tensor.size(); ++i) tensor[i] = float(i) / 8 - 1;
    bytes = written_by_llmc(values, config, false, 8);
  }
  SmallFile& set(size_t index, int32_t value) {
    std::memcpy(&bytes[4 * index], &value, sizeof value);
    return *this;
  }
  SmallFile& set(size_t index, float value) {
    std::memcpy(&bytes[4 * index], &value, sizeof value);
    return *this;
  }
};

TEST(LlmcModelFile, AGoodOneIsRead) {
  const SmallFile file;
  const nn::LlmcModel model = nn::parse_llmc_model(as_bytes(file.bytes), "a.bin");
  EXPECT_EQ(model.config, file.config);
  EXPECT_EQ(model.entries.size(), 4u + 12 * 2);
  EXPECT_EQ(model.entries.front().shape, (Shape{5, 4}));
}

TEST(LlmcModelFile, ABadOneIsOneLineThatSaysWhy) {
  const SmallFile good;
  const std::string where = "a.bin: ";
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", "not a model file of llm.c"},
      {"abc", "not a model file of llm.c"},
      {SmallFile().set(0, 20240520).bytes,
       "not a model file of llm.c, which begins with the number 20240326"},
      {good.bytes.substr(0, 4), "ends within its header"},
      {good.bytes.substr(0, 1023), "ends within its header"},
      {SmallFile().set(1, 2).bytes, "version 2; versions 3 (float32) and 5 (bf16) are read"},
      {SmallFile().set(1, 5).bytes, "but the sizes in its header take"},
      {SmallFile().set(2, 0).bytes, "max_seq_len 0; it must be from 1"},
      {SmallFile().set(3, -1).bytes, "vocab_size -1; it must be from 1"},
      {SmallFile().set(4, 10'001).bytes, "num_layers 10001; it must be from 1 to 10000"},
      {SmallFile().set(5, 3).bytes, "channels 4 are not a multiple of num_heads 3"},
      {SmallFile().set(6, INT32_MAX).bytes, "channels 2147483647; it must be from 1"},
      {SmallFile().set(7, 4).bytes, "padded_vocab_size 4, below vocab_size 5"},
      {SmallFile().set(4, 3).bytes, "but the sizes in its header take"},
      {SmallFile().set(2, 1 << 24).set(4, 10'000).set(6, 1 << 20).set(7, 1 << 24).bytes,
       "sizes in its header take 527906864088744960"},
      {good.bytes.substr(0, 1024), "1024 bytes, but the sizes in its header take"},
      {good.bytes.substr(0, good.bytes.size() - 1), "the file is incomplete or damaged"},
      {good.bytes + "x", "the file is incomplete or damaged"},
      {SmallFile().set(3, 4).bytes, "rows of transformer.wte.weight after the vocabulary's 4 are not zero"},
      {SmallFile().set(256 + 7 * 4, 1).bytes, "after the vocabulary's 5 are not zero"}};
  for (const auto& [bytes, expected] : cases) {
    const std::string error = error_of([&] { nn::parse_llmc_model(as_bytes(bytes), "a.bin"); });
    EXPECT_EQ(error.find(where), 0u) << error;
    EXPECT_NE(error.find(expected), std::string::npos) << error << "\n  expected: " << expected;
  }
}

TEST(LlmcModelFile, AValueThatIsNotFiniteIsNamedWithItsTensor) {
  const TempDir dir;
  put_file(dir / "a.bin", SmallFile().set(256 + 8 * 4, NAN).bytes);  // the first value of wpe
  nn::Gpt2Weights model(read_hf_config(dir / "a.bin"));
  EXPECT_ERROR(nn::load(model, dir / "a.bin"), "transformer.wpe.weight");
}

TEST(LlmcModelFile, IsNotLoadedIntoAnotherShape) {
  const TempDir dir;
  put_file(dir / "a.bin", SmallFile().bytes);
  for (const auto& [change, expected] : std::vector<std::pair<std::function<void(HfConfig&)>, std::string>>{
           {[](HfConfig& config) { config.n_positions = 4; },
            "transformer.wpe.weight has shape (3, 4), the model (4, 4)"},
           {[](HfConfig& config) { config.n_layer = 3; }, "tensor transformer.h.2.ln_1.weight is missing"},
           {[](HfConfig& config) { config.n_layer = 1; }, "28 tensors, but the model has 16 of them"}}) {
    HfConfig config = SmallFile().config;
    change(config);
    nn::Gpt2Weights model(config);
    EXPECT_ERROR(nn::load(model, dir / "a.bin"), expected);
  }
}

TEST(LlmcModelFile, WhatLlmcCannotHoldIsNotWritten) {
  const TempDir dir;
  HfConfig untied = SmallFile().config, epsilon = untied;
  untied.tie_word_embeddings = false;
  epsilon.layer_norm_epsilon = 1e-6;
  EXPECT_ERROR(nn::save_llmc(nn::Gpt2Weights(untied), untied, dir / "a.bin", DType::f32),
               "no output layer of its own");
  EXPECT_ERROR(nn::save_llmc(nn::Gpt2Weights(epsilon), epsilon, dir / "a.bin", DType::f32), "epsilon 1e-5");
  EXPECT_TRUE(dir.names().empty());
}

}  // namespace
}  // namespace gpt2::testing
