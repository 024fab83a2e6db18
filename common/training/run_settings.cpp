#include "common/training/run_settings.h"

#include <omp.h>

#include <filesystem>
#include <string_view>

#include "common/base/digest.h"
#include "common/base/file.h"
#include "common/base/os.h"
#include "common/tensor/context.h"
#include "common/text/utf8.h"

namespace gpt2::training {
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

std::string identity(const Tokenizer& tokenizer) {
  Digest digest;
  for (const Tokenizer::File& file : tokenizer.files()) {
    digest.add(fmt::format("{} {}\n", file.name, file.text.size()));
    digest.add(file.text);
  }
  return fmt::format("{} ids, digest {}", tokenizer.vocab_size(), to_hex(digest.value()));
}

}  // namespace

std::string build_identity() {
  std::error_code ignored;
  const std::string program = os::executable_path();
  if (!std::filesystem::is_regular_file(program, ignored)) return "unknown";
  const MappedFile self(program);
  return to_hex(digest_of(self.bytes()));
}

std::string to_text(const SourceIdentity& source) {
  return fmt::format("{}, {} tokens, digest {}", utf8_of(source.name), source.tokens, to_hex(source.samples));
}

RunSettings run_settings(const app::CommandLine& flags, const HfConfig& model, const Tokenizer& tokenizer,
                         const TokenLoader& loader, int64_t grad_accum_steps) {
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
  resolve("--tokenizer", identity(tokenizer));
  resolve("--batch", batches.B);
  resolve("--seq", batches.T);
  resolve("--total-batch", batches.B * batches.T * grad_accum_steps * batches.world);
  if (!settings["--min-lr"].is_number())
    resolve("--min-lr", settings.value("--max-lr", 0.0) / 10);  // not given
  resolve("--attention", context().attention == AttentionKernels::cudnn ? "cudnn" : "own");
  if (!is_cuda && settings.value("--matmul-precision", "") == "high") {  // only GPUs have TF32
    resolve("--matmul-precision", "highest");
  }
  json sources = json::array();
  for (const SourceIdentity& source : loader.identities()) sources.push_back(to_text(source));
  resolve("--data", std::move(sources));
  resolve("device", is_cuda ? "cuda" : "cpu");
  resolve("ranks", batches.world);
  if (!is_cuda) resolve("threads", omp_get_max_threads());
  resolve("build", build_identity());
  return settings;
}

}  // namespace gpt2::training
