#include "common/base/course_data.h"

#include <fmt/core.h>

#include <array>
#include <filesystem>
#include <vector>

#include "common/base/os.h"
#include "common/base/shell.h"

namespace gpt2 {
namespace {

namespace fs = std::filesystem;

struct Download {
  std::string name, files;
};

const std::array<Download, 7> kDownloads = {
    {{"gpt2", "data/gpt2"},
     {"gpt2-medium", "data/gpt2-medium"},
     {"gpt2-large", "data/gpt2-large"},
     {"gpt2-xl", "data/gpt2-xl"},
     {"shakespeare", "data/shakespeare/input.txt"},
     {"hellaswag", "data/hellaswag/hellaswag_val.jsonl"},
     {"fineweb-edu", "data/fineweb-edu/edu_fineweb_train_*.bin and edu_fineweb_val_*.bin"}}};

// The name after the last "data" in a path, or after Hugging Face's name for OpenAI. For a path with one
// part: that part.
std::string name_in(const std::string& path) {
  const fs::path normal = fs::path(path).lexically_normal();
  const std::vector<fs::path> parts(normal.begin(), normal.end());
  if (parts.size() == 1) return parts[0];
  for (size_t i = parts.size(); i-- > 1;) {
    if (parts[i - 1] == "data" || parts[i - 1] == "openai-community") return parts[i];
  }
  return "";
}

// The folder of the repository: the first one above the program that has data/fetch in it; empty if there is none.
fs::path repository() {
  std::error_code none;
  for (fs::path folder = os::executable_path(); folder.has_relative_path();) {
    folder = folder.parent_path();
    if (fs::exists(folder / "data/fetch", none)) return folder;
  }
  return {};
}

}  // namespace

std::string how_to_download(const std::string& path) {
  const std::string name = name_in(path);
  const fs::path root = repository();
  std::error_code none;
  const bool is_elsewhere = !root.empty() && !fs::equivalent(root, ".", none);
  const std::string place = is_elsewhere ? fmt::format(" (run it in {})", shell_word(root)) : "";
  for (const Download& download : kDownloads) {
    if (download.name == name)
      return fmt::format("; ./course data {} downloads {}{}", name, download.files, place);
  }
  return "";
}

std::string in_repository(const std::string& path) {
  const fs::path folder = fs::path(path).parent_path(),
                 root = repository();  // for a pattern, checking the folder is enough
  const auto is_in = [&](const fs::path& place) {
    std::error_code none;
    const bool is_pattern = path.find_first_of("*?[") != path.npos;
    return fs::exists(place / (is_pattern ? folder : fs::path(path)), none);
  };
  return is_in(".") || root.empty() || !is_in(root) ? path : (root / path).string();
}

}  // namespace gpt2
