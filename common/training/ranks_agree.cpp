#include "common/training/ranks_agree.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "common/app/inputs.h"
#include "common/app/resolve.h"
#include "common/base/digest.h"
#include "common/base/error.h"
#include "common/base/file.h"
#include "common/dist/agreement.h"
#include "common/text/tokenizer.h"
#include "common/training/run_settings.h"

namespace gpt2::training {
namespace {

// Flags that are compared in another form (by what they were resolved to, or by the contents of the files that they
// name), and those that may differ.
bool is_left_out(const std::string& flag) {
  constexpr std::array kOtherForm = {"--batch", "--seq", "--data", "--device", "--out", "--val-data"};
  constexpr std::array kMayDiffer = {"--log", "--count", "--rendezvous-port", "--preset"};
  const auto has = [&](const auto& names) {
    return std::find(names.begin(), names.end(), flag) != names.end();
  };
  return has(kOtherForm) || has(kMayDiffer);
}

// A folder of weights may lie elsewhere on another machine: its contents count. Other weights of the same shape would
// not be noticed, because all ranks start from rank 0's.
std::string model_in(const std::string& folder) {
  return "a folder with configuration and weights of digest " + model_identity(folder);
}

std::string tokenizer_in(const std::string& folder) { return identity(*make_tokenizer(folder, "")); }

std::string resolved(const std::string& flag, const nlohmann::json& flags,
                     const TokenLoader::Settings& batches) {
  const nlohmann::json& value = flags.at(flag);
  const bool is_given = !value.is_null() && value != "";
  if (flag == "--total-batch") {
    return std::to_string(
        app::total_batch(flags.at("--model"), value, {batches.B, batches.T}, batches.world));
  }
  if (flag == "--tokenizer" && !is_given) {
    const std::string model = flags.at("--model");
    const std::string tokenizer = app::default_tokenizer(model_folder(model));
    return tokenizer == "byte" ? tokenizer : tokenizer_in(tokenizer);
  }
  if (flag == "--min-lr" && !is_given) return fmt::format("{:.9g}", flags.at("--max-lr").get<double>() / 10);
  if (flag == "--matmul-precision" && !batches.device.is_cuda() && value == "high") return "highest";
  if (flag == "--hellaswag" && is_given) {
    return "a file of digest " + to_hex(digest_of_file(value.get<std::string>()));
  }
  if (value.is_number_float()) return fmt::format("{:.9g}", value.get<double>());
  if (value.is_string() && app::is_directory(value))
    return flag == "--tokenizer" ? tokenizer_in(value) : model_in(model_folder(value));
  if (value.is_string()) return value;
  return value.is_null() ? "" : value.dump();
}

// Names and shapes of the parameters: --model, as far as the flag does not say it.
std::string shape_of(const nn::Module& model) {
  Digest digest;
  for (const auto& [name, tensor] : model.named_parameters()) {
    digest.add(name);
    for (const int64_t size : tensor->shape()) digest.add(fmt::format(" {}", size));
  }
  return fmt::format("{} (names and shapes: {})", model.num_parameters(), to_hex(digest.value()));
}

// One setting for each source, so that a message shows the one that differs.
void add_sources(dist::Settings& settings, const std::string& flag, const TokenLoader& loader) {
  const auto sources = loader.identities();
  for (size_t i = 0; i < sources.size(); ++i) {
    settings.emplace_back(i == 0 ? flag : fmt::format("{} (file {})", flag, i + 1), to_text(sources[i]));
  }
}

}  // namespace

void require_ranks_agree(const dist::ProcessGroup& group, const app::CommandLine& flags,
                         const nn::Module& model, const TokenLoader& loader,
                         const std::optional<TokenLoader>& val_loader) {
  if (group.world_size() == 1) return;
  const TokenLoader::Settings& batches = loader.settings();
  dist::Settings settings = {{dist::kProgram, flags.program()},
                             {"the device", group.device().is_cuda() ? "GPU" : "CPU"}};
  const nlohmann::json values = nlohmann::json::parse(flags.values());
  for (const auto& [flag, value] : values.items()) {
    if (!is_left_out(flag)) settings.emplace_back(flag, resolved(flag, values, batches));
  }
  settings.emplace_back("--batch", std::to_string(batches.B));
  settings.emplace_back("--seq", std::to_string(batches.T));
  settings.emplace_back("the number of parameters", shape_of(model));
  add_sources(settings, "--data", loader);
  if (val_loader) add_sources(settings, "--val-data", *val_loader);
  settings.emplace_back("the build", build_identity());
  dist::require_same_on_all_ranks(group, settings);
}

}  // namespace gpt2::training
