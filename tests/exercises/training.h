// For exercises whose answer is a trained model: a small GPT-2, its folder, and the log of a run.
//
// The model is that of step 10 without padding. Its parameters have the names of the Hugging Face checkpoint,
// as in all steps.
#pragma once

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <utility>

#include "common/nn/hf_config.h"
#include "common/nn/layers.h"
#include "common/nn/pretrained.h"

namespace exercise {

using namespace gpt2;

struct CausalSelfAttention : nn::Module {
  const int64_t n_head;
  nn::Linear c_attn, c_proj;

  CausalSelfAttention(nn::Module* parent, std::string name, const HfConfig& config)
      : nn::Module(parent, std::move(name)),
        n_head(config.n_head),
        c_attn(this, "c_attn", config.n_embd, 3 * config.n_embd),
        c_proj(this, "c_proj", config.n_embd, config.n_embd) {}

  Tensor operator()(const Tensor& x) const {
    const auto [B, T, C] = x.sizes<3>();
    const auto heads = [&, B = B, T = T, C = C](const Tensor& part) {
      return part.view({B, T, n_head, C / n_head}).transpose(1, 2);  // (B, nh, T, hs)
    };
    const auto [q, k, v] = split<3>(c_attn(x), 2);  // each (B, T, C)
    const Tensor y = scaled_dot_product_attention(heads(q), heads(k), heads(v));
    return c_proj(y.transpose(1, 2).contiguous().view({B, T, C}));
  }
};

struct MLP : nn::Module {
  nn::Linear c_fc, c_proj;

  MLP(nn::Module* parent, std::string name, const HfConfig& config)
      : nn::Module(parent, std::move(name)),
        c_fc(this, "c_fc", config.n_embd, 4 * config.n_embd),
        c_proj(this, "c_proj", 4 * config.n_embd, config.n_embd) {}

  Tensor operator()(const Tensor& x) const {
    return mlp(x, c_fc.weight, c_fc.bias, c_proj.weight, c_proj.bias);
  }
};

struct Block : nn::Module {
  nn::LayerNorm ln_1;
  CausalSelfAttention attn;
  nn::LayerNorm ln_2;
  MLP mlp;

  Block(nn::Module* parent, std::string name, const HfConfig& config)
      : nn::Module(parent, std::move(name)),
        ln_1(this, "ln_1", config.n_embd, config.layer_norm_epsilon),
        attn(this, "attn", config),
        ln_2(this, "ln_2", config.n_embd, config.layer_norm_epsilon),
        mlp(this, "mlp", config) {}

  Tensor operator()(Tensor x) const {
    x = x + attn(ln_1(x));
    return x + mlp(ln_2(x));
  }
};

struct Transformer : nn::Module {
  nn::Embedding wte, wpe;
  nn::ModuleList<Block> h;
  nn::LayerNorm ln_f;

  Transformer(nn::Module* parent, std::string name, const HfConfig& config)
      : nn::Module(parent, std::move(name)),
        wte(this, "wte", config.vocab_size, config.n_embd),
        wpe(this, "wpe", config.n_positions, config.n_embd),
        h(this, "h", config.n_layer, config),
        ln_f(this, "ln_f", config.n_embd, config.layer_norm_epsilon) {}
};

// Weights from N(0, 0.02), less for the 2 n_layer layers that add to the stream; biases 0. Draws from the
// generator of nn::manual_seed.
inline void init_as_gpt2(nn::Module& model, int64_t n_layer) {
  model.apply([n_layer](nn::Module& module) {
    if (auto* linear = dynamic_cast<nn::Linear*>(&module)) {
      const double std = linear->name() == "c_proj" ? 0.02 / std::sqrt(2.0 * double(n_layer)) : 0.02;
      nn::init::normal_(linear->weight, 0, std);
      if (linear->bias.defined()) nn::init::constant_(linear->bias, 0);
    } else if (auto* embedding = dynamic_cast<nn::Embedding*>(&module)) {
      nn::init::normal_(embedding->weight, 0, 0.02);
    }
  });
}

// ids (B, T) -> the logits of the id that follows each of them (B, T, vocab_size)
struct LanguageModel : nn::Module {
  virtual Tensor operator()(const Tensor& ids) = 0;
};

struct GPT : LanguageModel {
  const HfConfig config;
  Transformer transformer;
  nn::Linear lm_head;

  explicit GPT(const HfConfig& config)
      : config(config),
        transformer(this, "transformer", config),
        lm_head(this, "lm_head", config.n_embd, config.vocab_size, nn::Linear::Bias::no) {
    transformer.wte.weight = lm_head.weight;  // one matrix for both
    init_as_gpt2(*this, config.n_layer);
  }

  Tensor operator()(const Tensor& ids) override {
    Tensor x = transformer.wte(ids) + transformer.wpe(arange(ids.size(1), ids.device()));  // (B, T, C)
    for (Block& block : transformer.h) x = block(x);
    return lm_head(transformer.ln_f(x));
  }
};

// Returns the text of a file in the current folder; "" if the file is missing.
inline std::string text_of(const std::string& file) {
  std::ifstream in(file);
  return {std::istreambuf_iterator<char>(in), {}};
}

inline double parameters_of(const HfConfig& config) {
  const auto C = double(config.n_embd), L = double(config.n_layer);
  return C * double(config.vocab_size + config.n_positions) + L * (12 * C * C + 13 * C) + 2 * C;
}

// Returns the model in a folder: config.json and model.safetensors. Throws if it has more than `most`
// parameters.
inline std::unique_ptr<GPT> read_model(const std::string& folder, int64_t most) {
  require(!text_of(folder + "/config.json").empty(), "config.json is missing here: train first");
  const HfConfig config = read_hf_config(folder);
  require(parameters_of(config) <= double(most), "the model has {:.0f} parameters; at most {} are allowed",
          parameters_of(config), most);
  auto model = std::make_unique<GPT>(config);
  nn::load(*model, folder);
  return model;
}

// The last column of a CSV file, by the columns before it: {"tales,val,20": 2.31, ...}. Lines that do not end
// in a number, such as the heading, are left out.
inline std::map<std::string, double> last_column(const std::string& csv) {
  std::map<std::string, double> values;
  std::istringstream lines(csv);
  for (std::string line; std::getline(lines, line);) {
    const size_t comma = line.rfind(',');
    if (comma == std::string::npos) continue;
    const std::string number = line.substr(comma + 1);
    char* end = nullptr;
    const double value = std::strtod(number.c_str(), &end);
    if (end != number.c_str()) values[line.substr(0, comma)] = value;
  }
  return values;
}

}  // namespace exercise
