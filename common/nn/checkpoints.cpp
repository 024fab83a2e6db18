#include "common/nn/checkpoints.h"

#include <algorithm>
#include <charconv>
#include <filesystem>

namespace gpt2::nn {

namespace fs = std::filesystem;

std::optional<int64_t> step_of(const std::string& path) {
  const std::string name = fs::path(path).filename();
  if (!name.starts_with("step_") || name.size() < 11) return std::nullopt;
  int64_t step = 0;
  const char *digits = name.data() + 5, *end = name.data() + name.size();
  return std::from_chars(digits, end, step).ptr == end ? std::optional(step) : std::nullopt;
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

}  // namespace gpt2::nn
