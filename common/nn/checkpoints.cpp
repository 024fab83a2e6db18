#include "common/nn/checkpoints.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "common/base/digest.h"
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

void require_digest(const std::string& path, const nlohmann::json& digest) {
  require(digest == to_hex(digest_of(MappedFile(path).bytes())),
          "{}: not the file that this checkpoint was written with: damaged, or replaced", path);
}

void require_no_others(const std::string& folder, const nlohmann::json& files) {
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

void require_undamaged(const std::string& folder) {
  std::error_code none;
  const std::string where = fs::path(folder) / "state.json";
  if (!fs::is_regular_file(where, none)) return;
  const nlohmann::json state = parse_json(read_text_file(where), where);
  if (!state.is_object() || !state.contains("files") || !state["files"].is_object()) return;
  const std::optional<int64_t> named = step_of(folder);
  require(!named || state.value("step", nlohmann::json()) == *named,
          "{}: its state.json is of step {}; give the folder its own name again", folder,
          state.value("step", nlohmann::json()).dump());
  require_no_others(folder, state["files"]);
  for (const auto& item : state["files"].items()) {
    const fs::path path = fs::path(folder) / item.key();
    if (item.key() != "optimizer.safetensors" && fs::exists(path, none)) require_digest(path, item.value());
  }
}

}  // namespace gpt2::nn
