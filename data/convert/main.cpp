// Converts weights between Hugging Face's layout and llm.c's model file: convert data/gpt2 --out gpt2_124M.bin
#include <fmt/core.h>

#include <filesystem>
#include <optional>

#include "common/app/inputs.h"
#include "common/app/program.h"
#include "common/base/error.h"
#include "common/base/file.h"
#include "common/nn/llmc_model.h"
#include "common/nn/pretrained.h"
#include "common/text/utf8.h"

using namespace gpt2;
namespace fs = std::filesystem;

namespace {

struct Options {
  std::vector<std::string> models;  // one
  std::string out, tokenizer;
  std::optional<DType> dtype;

  void add_to(app::CommandLine& flags) {
    flags.add_values(
        "MODEL", models,
        "what to convert: a Hugging Face directory, the folder of a run, whose newest checkpoint is taken, "
        "or llm.c's model file NAME.bin");
    flags
        .add("--out", out,
             "what to write (required): a name that ends in .bin is llm.c's model file, another a new folder "
             "in "
             "Hugging Face's layout")
        .placeholder("PATH");
    flags
        .add("--dtype", dtype, {{"fp32", DType::f32}, {"bf16", DType::bf16}},
             "values of llm.c's file: fp32 (its version 3) or bf16 (version 5, for its GPU programs)")
        .default_text("fp32");
    flags.add("--tokenizer", tokenizer, "tokenizer to copy into a new folder")
        .placeholder("TOKENIZER")
        .input()
        .default_text("the model directory's own; GPT-2's for llm.c's model file");
  }
};

// Writes a folder with the tokenizer beside the weights, so that 03_sampling --model needs no other flag.
void save_folder(const nn::Module& model, HfConfig config, const Options& options,
                 const app::Options& inputs) {
  const auto tokenizer = app::make_tokenizer(inputs, "");
  app::check_tokenizer(*tokenizer, config.vocab_size);
  if (!config.eos_token_id) config.eos_token_id = tokenizer->end_of_text();
  fs::create_directories(options.out);
  for (const Tokenizer::File& each : tokenizer->files()) {
    AtomicFile file((fs::path(options.out) / each.name).string());
    file.write(each.text);
    file.commit();
  }
  nn::save(model, config, options.out);
}

void convert(app::CommandLine& flags) {
  Options options;
  options.add_to(flags);
  flags.parse();
  require(options.models.size() == 1, "{} models; give one", options.models.size());
  require(!options.out.empty(), "--out: name a file NAME.bin or a folder to write");
  require(!fs::exists(fs::symlink_status(options.out)),
          "--out {}: it exists; give another name, or move it away", options.out);
  const bool is_bin = options.out.ends_with(".bin");
  require(is_bin || !options.dtype, "--dtype: only for llm.c's file; a folder has float32");
  require(!is_bin || options.tokenizer.empty(),
          "--tokenizer: only for a folder; llm.c's file has no tokenizer");
  app::Options inputs;
  inputs.model = options.models.front();
  inputs.tokenizer = options.tokenizer;
  require(app::resolve_model(inputs), "{}: no such folder or file of weights", options.models.front());
  HfConfig config = read_hf_config(inputs.model);
  nn::Gpt2Weights model(config);
  nn::load(model, inputs.model);  // also multiplies a scale of the attention scores into the weights
  config.scale_attn_weights = true;
  config.scale_attn_by_inverse_layer_idx = false;
  if (is_bin)
    nn::save_llmc(model, config, options.out, options.dtype.value_or(DType::f32));
  else
    save_folder(model, config, options, inputs);
  fmt::print("{}: {} parameters\n", printable_line(options.out), model.num_parameters());
}

}  // namespace

int main(int argc, char** argv) { return app::run("convert", argc, argv, convert); }
