#include "common/nn/checkpoints.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "common/base/error.h"
#include "common/base/file.h"
#include "common/base/json.h"

namespace gpt2::nn {

namespace fs = std::filesystem;

std::optional<int64_t> step_of(const std::string& path) {
  const std::string name = fs::path(path).filename();
  if (!name.starts_with("step_") || name.size() < 11) return std::nullopt;
  int64_t step = 0;
  const char *digits = name.data() + 5, *end = name.data() + name.size();
  const auto [after, error] = std::from_chars(digits, end, step);
  const bool is_name =
      error == std::errc() && after == end && step >= 0 && name == fmt::format("step_{:06}", step);
  return is_name ? std::optional(step) : std::nullopt;  // step_0000123 is not: step_000123 may exist too
}

std::vector<std::string> checkpoints_in(const std::string& out) {
  std::vector<std::string> paths;
  if (!fs::is_directory(out)) return paths;
  for (const auto& entry : fs::directory_iterator(out)) {
    if (entry.is_directory() && step_of(entry.path())) paths.push_back(entry.path());
  }
  std::sort(paths.begin(), paths.end(),
            [](const std::string& a, const std::string& b) { return step_of(a) < step_of(b); });
  return paths;
}

void require_no_others(const std::string& folder, const FileDigests& files) {
  constexpr std::array kRead = {"config.json",
                                "model.safetensors",
                                "model.safetensors.index.json",
                                "encoder.json",
                                "vocab.bpe",
                                "vocab.json",
                                "merges.txt",
                                "tokenizer.json",
                                "tokenizer_config.json",
                                "added_tokens.json",
                                "special_tokens_map.json"};
  std::error_code none;
  for (const char* name : kRead) {
    const fs::path path = fs::path(folder) / name;
    require(files.contains(name) || !fs::exists(fs::symlink_status(path, none)),
            "{}: was added after this checkpoint was written, and would be read; move it elsewhere",
            path.string());
  }
}

FileDigests digests_of(const nlohmann::json& state) {
  FileDigests digests;
  if (!state.is_object() || !state.contains("files") || !state["files"].is_object()) return digests;
  for (const auto& item : state["files"].items())
    digests[item.key()] = item.value().is_string() ? item.value().get<std::string>() : "";
  return digests;
}

FileDigests digests_in(const std::string& folder) {
  std::error_code none;
  const std::string where = fs::path(folder) / "state.json";
  if (!fs::is_regular_file(where, none)) return {};
  const nlohmann::json state = parse_json(read_text_file(where), where);
  if (!state.is_object() || !state.contains("files") || !state["files"].is_object()) return {};
  const std::optional<int64_t> named = step_of(folder);
  require(!named || state.value("step", nlohmann::json()) == *named,
          "{}: its state.json is of step {}; give the folder its own name again", folder,
          state.value("step", nlohmann::json()).dump());
  FileDigests digests = digests_of(state);
  require_no_others(folder, digests);
  return digests;
}

void require_undamaged(const std::string& folder) {
  std::error_code none;
  const FileDigests digests = digests_in(folder);
  for (const auto& each : digests) {
    const fs::path path = fs::path(folder) / each.first;
    if (!each.first.starts_with("optimizer") && fs::exists(path, none))
      require_digest(digests, path, digest_of_file(path));
  }
}

}  // namespace gpt2::nn
