#include "common/base/course_data.h"

#include <filesystem>

#include "common/base/file.h"
#include "common/base/shell.h"
#include "common/data/shards.h"
#include "common/text/tokenizer.h"
#include "paths.h"
#include "tests/common/files.h"

namespace gpt2 {
namespace {

namespace fs = std::filesystem;
using testing::error_of;
using testing::TempDir;

// Runs in a folder of its own.
class ElsewhereTest : public ::testing::Test {
 protected:
  ElsewhereTest() : before_(fs::current_path()) { fs::current_path(dir_.path()); }
  ~ElsewhereTest() override { fs::current_path(before_); }
  TempDir dir_;
  fs::path before_;
};

class InRepositoryTest : public ElsewhereTest {
 protected:
  InRepositoryTest() { fs::current_path(GPT2_SOURCE_DIR); }
};

TEST_F(InRepositoryTest, NamesTheCommandForEveryPathThatItDownloads) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"data/gpt2", "; ./course data gpt2 downloads data/gpt2"},
      {"data/gpt2/", "; ./course data gpt2 downloads data/gpt2"},
      {"./data/gpt2", "; ./course data gpt2 downloads data/gpt2"},
      {"/home/me/gpt2/data/gpt2-xl/config.json", "; ./course data gpt2-xl downloads data/gpt2-xl"},
      {"../data/gpt2-medium/vocab.json", "; ./course data gpt2-medium downloads data/gpt2-medium"},
      {"openai-community/gpt2-large", "; ./course data gpt2-large downloads data/gpt2-large"},
      {"shakespeare", "; ./course data shakespeare downloads data/shakespeare/input.txt"},
      {"data/shakespeare/input.txt", "; ./course data shakespeare downloads data/shakespeare/input.txt"},
      {"data/hellaswag/hellaswag.jsonl",
       "; ./course data hellaswag downloads data/hellaswag/hellaswag_val.jsonl"},
      {"data/fineweb-edu/edu_fineweb_train_*.bin",
       "; ./course data fineweb-edu downloads data/fineweb-edu/edu_fineweb_train_*.bin and "
       "edu_fineweb_val_*.bin"},
      {"data/books/books_train.txt", ""},
      {"runs/gpt2/step_000100", ""},
      {"data", ""},
      {"book.txt", ""},
      {"", ""}};
  for (const auto& [path, expected] : cases) EXPECT_EQ(how_to_download(path), expected) << path;
}

TEST_F(ElsewhereTest, TheAdviceSaysWhereToRunTheCommand) {
  const std::string root = fs::canonical(GPT2_SOURCE_DIR).string();
  if (!fs::canonical("/proc/self/exe").string().starts_with(root + "/"))
    GTEST_SKIP() << "built outside the repository";
  EXPECT_EQ(how_to_download("data/gpt2"),
            "; ./course data gpt2 downloads data/gpt2 (run it in " + shell_word(root) + ")");
  EXPECT_EQ(how_to_download("book.txt"), "");
}

TEST_F(ElsewhereTest, EveryReaderSaysHowToDownloadWhatIsMissing) {
  const std::string gpt2 = "; ./course data gpt2 downloads data/gpt2";
  EXPECT_ERROR(MappedFile("data/shakespeare/input.txt"),
               "cannot open: No such file or directory; ./course data shakespeare");
  EXPECT_ERROR(RandomAccessFile("data/gpt2/model.safetensors"), gpt2);
  EXPECT_ERROR(read_text_file("data/gpt2/config.json"), gpt2);
  EXPECT_ERROR(make_tokenizer("data/gpt2", ""), gpt2);
  EXPECT_ERROR(expand_pattern("data/fineweb-edu/edu_fineweb_train_*.bin"),
               "no file matches; ./course data fineweb-edu");
}

TEST_F(ElsewhereTest, TheRepositorysDataIsFoundFromAnyWorkingDirectory) {
  const std::string root = fs::canonical(GPT2_SOURCE_DIR).string() + "/";
  if (!fs::canonical("/proc/self/exe").string().starts_with(root))
    GTEST_SKIP() << "built outside the repository";
  EXPECT_EQ(in_repository("data/fixtures/tiny-gpt2"), root + "data/fixtures/tiny-gpt2");
  EXPECT_EQ(in_repository("data/fixtures/tiny_*.bin"), root + "data/fixtures/tiny_*.bin");
  EXPECT_EQ(in_repository("data/no-such-thing"), "data/no-such-thing");
  fs::create_directories("data/fixtures/tiny-gpt2");  // its own counts for more
  EXPECT_EQ(in_repository("data/fixtures/tiny-gpt2"), "data/fixtures/tiny-gpt2");
}

}  // namespace
}  // namespace gpt2
