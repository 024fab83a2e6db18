#include "common/training/run_settings.h"

#include <omp.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <string_view>

#include "common/app/inputs.h"
#include "common/base/digest.h"
#include "common/base/error.h"
#include "common/base/file.h"
#include "common/base/os.h"
#include "common/data/safetensors.h"
#include "common/kernels/matmul.h"
#include "common/nn/checkpoints.h"
#include "common/nn/llmc_model.h"
#include "common/tensor/context.h"
#include "common/text/utf8.h"

namespace gpt2::training {

namespace fs = std::filesystem;

namespace {

using nlohmann::json;

// The text with invalid UTF-8 bytes written as \xff: JSON can hold it, and different texts stay different.
std::string utf8_of(std::string_view text) {
  std::string valid;
  while (!text.empty()) {
    const size_t good = valid_utf8_prefix(text);
    valid += text.substr(0, good);
    text.remove_prefix(good);
    if (text.empty()) break;
    valid += fmt::format("\\x{:02x}", static_cast<unsigned char>(text.front()));
    text.remove_prefix(1);
  }
  return valid;
}

std::string architecture(const HfConfig& model) {
  return fmt::format("{} layers, {} heads, {} channels, block size {}, vocabulary {}", model.n_layer,
                     model.n_head, model.n_embd, model.n_positions, model.vocab_size);
}

// Which weights --model DIR names.
json weights_of(const std::string& model, const std::string& out) {
  if (!app::is_directory(model)) return nullptr;
  if (nn::is_llmc_model(model)) return model_identity(model);
  const fs::path folder = model_folder(model), config = full_path(folder / "config.json");
  if (!out.empty() && config.parent_path().parent_path() == full_path(out)) return kOwnWeights;
  return model_identity(folder);
}

json texts_of(const TokenLoader& loader) {
  json texts = json::array();
  for (const SourceIdentity& source : loader.identities()) texts.push_back(to_text(source));
  return texts;
}

// What the run is measured on.
void resolve_measurements(RunSettings& settings, const json& given,
                          const std::optional<TokenLoader>& val_loader) {
  const std::string val_data = given.value("--val-data", ""), hellaswag = given.value("--hellaswag", "");
  settings["--val-data"] = !val_loader        ? json("")
                           : val_data.empty() ? json(kLastTenth)
                                              : texts_of(*val_loader);
  if (!hellaswag.empty()) settings["--hellaswag"] = "a file of digest " + to_hex(digest_of_file(hellaswag));
}

}  // namespace

std::string model_folder(const std::string& model) {
  std::error_code none;
  const bool is_run = app::is_directory(model) && !fs::exists(fs::path(model) / "config.json", none);
  const std::vector<std::string> checkpoints =
      is_run ? nn::checkpoints_in(model) : std::vector<std::string>();
  return checkpoints.empty() ? model : checkpoints.back();
}

std::string model_identity(const std::string& folder) {
  std::set<std::string> files;
  if (nn::is_llmc_model(folder)) {
    files.insert(folder);
  } else {
    files.insert(fs::path(folder) / "config.json");
    const SafetensorsCheckpoint weights(folder);
    for (const auto& [name, entry] : weights.entries()) files.insert(entry.file);
  }
  Digest digest;
  for (const std::string& file : files) {
    digest.add(fs::path(file).filename().string());
    RandomAccessFile(file).add_to(digest);
  }
  return to_hex(digest.value());
}

std::string build_identity() {
  std::error_code ignored;
  const std::string program = os::executable_path();
  if (!fs::is_regular_file(program, ignored)) return "unknown";
  return to_hex(digest_of_file(program));
}

std::string to_text(const SourceIdentity& source) {
  return fmt::format("{}, {} tokens, digest {}", utf8_of(source.name), source.tokens, to_hex(source.samples));
}

RunSettings run_settings(const app::CommandLine& flags, const HfConfig& model, const Tokenizer& tokenizer,
                         const TokenLoader& loader, int64_t grad_accum_steps,
                         const std::optional<TokenLoader>& val_loader) {
  const TokenLoader::Settings& batches = loader.settings();
  RunSettings settings;
  const json given = json::parse(flags.values());
  for (const auto& [name, value] : given.items()) {
    if (name == "--device" || name == "--preset") continue;  // resolved below; --preset sets other flags
    settings[name] = value;
  }
  const bool is_cuda = batches.device.is_cuda();
  const auto resolve = [&](const char* name, json value) { settings[name] = std::move(value); };
  resolve("--model", architecture(model));
  resolve("weights", weights_of(given.value("--model", ""), given.value("--out", "")));
  resolve("--tokenizer", identity(tokenizer));
  resolve("--batch", batches.B);
  resolve("--seq", batches.T);
  resolve("--total-batch", batches.B * batches.T * grad_accum_steps * batches.world);
  if (!settings["--min-lr"].is_number())
    resolve("--min-lr", settings.value("--max-lr", 0.0) / 10);  // not given
  resolve("--attention", context().attention == AttentionKernels::own ? "own" : "cudnn");
  if (!is_cuda) resolve("--deterministic", true);                        // a CPU always is
  if (!is_cuda && settings.value("--matmul-precision", "") == "high") {  // only GPUs have TF32
    resolve("--matmul-precision", "highest");
  }
  resolve("--data", texts_of(loader));
  resolve_measurements(settings, given, val_loader);
  resolve("device", is_cuda ? "cuda" : "cpu");
  resolve("ranks", batches.world);
  if (!is_cuda) resolve("threads", omp_get_max_threads());
  if (!is_cuda) resolve("instructions", cpu::matmul_instructions());
  resolve("build", build_identity());
  return settings;
}

}  // namespace gpt2::training
