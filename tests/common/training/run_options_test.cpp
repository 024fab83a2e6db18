#include "common/training/run_options.h"

#include <filesystem>
#include <nlohmann/json.hpp>

#include "common/app/options.h"
#include "common/base/course_data.h"
#include "paths.h"
#include "tests/common/files.h"

namespace gpt2 {
namespace {

namespace fs = std::filesystem;
using testing::TempDir;

// The flags' values after --preset, read in the current working directory.
nlohmann::json values_of_preset(const std::string& preset) {
  struct Options : app::Options {
    training::RunOptions run;
  } options;
  std::vector<std::string> words = {"13_fineweb", "--preset", preset};
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  app::CommandLine flags("13_fineweb", int(argv.size()), argv.data());
  options.app::Options::add_to(flags);
  options.run.add_to(flags);
  double number = 0;
  int64_t tokens = 0;
  for (const char* flag : {"--max-lr", "--min-lr", "--beta2"}) flags.add(flag, number, 0, 1, "");
  for (const char* flag : {"--warmup", "--total-batch"}) flags.add(flag, tokens, 0, int64_t{1} << 40, "");
  flags.parse();
  return nlohmann::json::parse(flags.values());
}

// A preset's data is that of the repository, or ./course data says how to get it.
TEST(Presets, FindTheirDataFromAnyWorkingDirectory) {
  const TempDir elsewhere;
  const fs::path before = fs::current_path(), root = fs::canonical(GPT2_SOURCE_DIR);
  if (!fs::canonical("/proc/self/exe").string().starts_with(root.string() + "/"))
    GTEST_SKIP() << "built outside the repository";
  fs::current_path(elsewhere.path());
  size_t checked = 0;
  for (const char* preset :
       {"gpt2-124m", "shakespeare-char", "shakespeare-char-cpu", "finetune-shakespeare"}) {
    const nlohmann::json values = values_of_preset(preset);
    for (const char* flag : {"--data", "--val-data", "--tokenizer", "--hellaswag", "--model"}) {
      const std::string value = values.at(flag);
      const size_t at = value.rfind("data/");  // the path before it may have one, too
      if (at == value.npos) continue;
      const fs::path in_root = root / value.substr(at), folder = in_root.parent_path();
      const bool is_here = fs::exists(value.find('*') == value.npos ? in_root : folder);
      EXPECT_EQ(value, is_here ? in_root.string() : value.substr(at)) << preset << " " << flag;
      EXPECT_NE(how_to_download(value), "") << value;
      ++checked;
    }
    EXPECT_TRUE(values.at("--out").get<std::string>().starts_with("runs/")) << "the working directory's";
  }
  EXPECT_GE(checked, 8u);
  fs::create_directories("data/shakespeare");
  testing::put_file("data/shakespeare/input.txt", "mine");
  EXPECT_EQ(values_of_preset("shakespeare-char").at("--data"), "data/shakespeare/input.txt");
  fs::current_path(before);
}

}  // namespace
}  // namespace gpt2
