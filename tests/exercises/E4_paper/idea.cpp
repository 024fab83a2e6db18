// Exercise E4: one idea from a paper.
//
// Paper, and what it claims:
//@solution E4 paper
// Wang and Komatsuzaki 2021 (GPT-J-6B), taken up by Chowdhery et al. 2022 (PaLM, section 2): attention and
// the MLP of a block read the same LayerNorm, side by side instead of one after the other. PaLM: 15% faster
// at large scale, a small loss of quality at 8B parameters, none at 62B. Here only the quality is measured.
//@stub
//| // TODO(E4)
//@end
#include "experiment.h"
#include "tests/exercises/todo.h"

using namespace gpt2;

namespace {

// The block of tests/exercises/training.h, to be changed.
struct IdeaBlock : nn::Module {
  nn::LayerNorm ln;
  exercise::CausalSelfAttention attn;
  exercise::MLP mlp;

  IdeaBlock(nn::Module* parent, std::string name, const HfConfig& config)
      : nn::Module(parent, std::move(name)),
        ln(this, "ln", config.n_embd, config.layer_norm_epsilon),
        attn(this, "attn", config),
        mlp(this, "mlp", config) {}

  Tensor operator()(const Tensor& x) const {
    //@solution E4 block
    const Tensor normed = ln(x);
    return x + attn(normed) + mlp(normed);
    //@stub
    //| // TODO(E4): or change something else; then this is the baseline's block.
    //| return COURSE_TODO("E4");
    //@end
  }
};

struct IdeaGPT : exercise::LanguageModel {
  nn::Embedding wte{this, "wte", kSizes.vocab_size, kSizes.n_embd};
  nn::Embedding wpe{this, "wpe", kSizes.n_positions, kSizes.n_embd};
  nn::ModuleList<IdeaBlock> h{this, "h", kSizes.n_layer, kSizes};
  nn::LayerNorm ln_f{this, "ln_f", kSizes.n_embd, kSizes.layer_norm_epsilon};
  nn::Linear lm_head{this, "lm_head", kSizes.n_embd, kSizes.vocab_size, nn::Linear::Bias::no};

  IdeaGPT() {
    wte.weight = lm_head.weight;  // one matrix for both
    exercise::init_as_gpt2(*this, kSizes.n_layer);
  }

  Tensor operator()(const Tensor& ids) override {
    Tensor x = wte(ids) + wpe(arange(ids.size(1), ids.device()));  // (B, T, C)
    for (IdeaBlock& block : h) x = block(x);
    return lm_head(ln_f(x));
  }
};

}  // namespace

std::unique_ptr<exercise::LanguageModel> make_idea() {
  //@solution E4 make
  return std::make_unique<IdeaGPT>();
  //@stub
  //| // TODO(E4): return std::make_unique<IdeaGPT>();
  //| return COURSE_TODO("E4");
  //@end
}
