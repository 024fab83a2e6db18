#include "common/data/file_kind.h"

#include <cstdlib>

#include "common/data/documents.h"
#include "common/data/shards.h"
#include "tests/common/files.h"

namespace gpt2 {
namespace {

using testing::error_of;
using testing::file_bytes;
using testing::put_file;
using testing::TempDir;
using namespace std::string_literals;

struct Case {
  std::string name, bytes, kind;
};

// Files that people give for texts.
const std::vector<Case> kNoTexts = {
    {"train.bin", "\x88\xd8\x34\x01\1\0\0\0"s,
     "token ids, not text; 13_fineweb reads them if the name ends in .bin"},
    {"tokens", "\x88\xd8\x34\x01\1\0\0\0"s, "token ids, not text"},
    {"train.npy", "\x93NUMPY\1\0"s, "token ids, not text; 13_fineweb reads them if the name ends in .npy"},
    {"train.bin", "\xc6\0\x0d\0\x34\x01"s,
     "neither text nor a token shard; if it holds uint16 ids like nanoGPT's"},
    {"gpt2_124M.bin", "\xc6\xd7\x34\x01\3\0\0\0"s, "weights of llm.c"},
    {"hellaswag_val.bin", "\x8a\xd8\x34\x01\1\0\0\0"s, "llm.c's HellaSwag items"},
    {"a.txt.gz", "\x1f\x8b\x08\0"s, "a gzip archive; unpack it with: gzip -dk "},
    {"a.txt", "\x1f\x8b\x08\0"s, "a gzip archive; unpack it with: gzip -dk "},
    {"a.jsonl.zst", "\x28\xb5\x2f\xfd\x04"s, "a zstd archive; unpack it with: zstd -d "},
    {"a.txt.xz",
     "\xfd"
     "7zXZ\0\0"s,
     "an xz archive; unpack it with: xz -dk "},
    {"a.txt.bz2", "BZh91AY"s, "a bzip2 archive; unpack it with: bzip2 -dk "},
    {"a.lz4", "\x04\x22\x4d\x18\x64"s, "an lz4 archive"},
    {"a.docx", "PK\x03\x04\x14\0"s, "a zip archive (as .docx, .npz and .pt files are)"},
    {"a.7z", "7z\xbc\xaf\x27\x1c\0"s, "a 7z archive"},
    {"a.tar", "a.txt" + std::string(252, '\0') + "ustar\0"s, "a tar archive"},
    {"a.parquet", "PAR1\x15\x04"s, "a Parquet table; make JSON Lines of it with: python3 -c "},
    {"a.arrow", "ARROW1\0\0"s, "an Arrow table"},
    {"a.pdf", "%PDF-1.7\n"s, "a PDF document; make a text of it with: pdftotext "},
    {"a.rtf", "{\\rtf1"s, "an RTF document"},
    {"a.txt", "version https://git-lfs.github.com/spec/v1\n"s, "a Git LFS pointer"},
    {"a.txt", "\xff\xfeh\0i\0"s, "text in UTF-16; make UTF-8 of it with: iconv -f UTF-16 -t UTF-8 "},
    {"a.txt", "\xfe\xff\0h\0i"s, "text in UTF-16"},
    {"a.txt", "\xff\xfe\0\0h\0\0\0"s, "text in UTF-32"},
    {"model.safetensors", "\x40\0\0\0\0\0\0\0{\"a\""s, "not text: it has a NUL byte at offset 1"},
    {"a.png", "\x89PNG\r\n\x1a\n\0\0"s, "not text: it has a NUL byte at offset 8"}};

const std::vector<Case> kTexts = {{"a.txt", "Hello", ""},
                                  {"a", "\xef\xbb\xbfHello", ""},
                                  {"a.txt", "7 zip codes\n", ""},
                                  {"a.txt", "PK and PAR are letters", ""},
                                  {"a.txt", "caf\xe9 in Latin-1", ""},
                                  {"a.py", "{\n  1: 2}", ""},
                                  {"a.json", "{\"text\": 7}", ""},
                                  {"a.bin", "", ""},
                                  {"a.txt", std::string(8000, 'x') + '\0', ""}};

TEST(FileKind, SaysWhatIsNoTextAndWhatToUseInstead) {
  const TempDir dir;
  for (const Case& c : kNoTexts) {
    for (const std::string& kind : {binary_kind(c.name, c.bytes), kind_unless_text(c.name, c.bytes)})
      EXPECT_EQ(kind.substr(0, c.kind.size()), c.kind) << c.name;
    put_file(dir / c.name, c.bytes);
    EXPECT_NE(binary_kind(dir / c.name), "") << c.name;
  }
  for (const Case& c : kTexts) {
    EXPECT_EQ(binary_kind(c.name, c.bytes), "") << c.name;
    EXPECT_EQ(kind_unless_text(c.name, c.bytes), "") << c.name;
  }
}

TEST(FileKind, JsonLinesAreNoTextToLearnFrom) {
  const std::string line = "{\"id\": 1, \"text\": \"hello\"}\n";
  for (const auto& [name, bytes] :
       std::vector<std::pair<std::string, std::string>>{{"a.jsonl", line},
                                                        {"a.ndjson", line},
                                                        {"a.jsonl", "{\"content\": 1}\n"},
                                                        {"a.txt", line + line}}) {
    EXPECT_EQ(binary_kind(name, bytes), "");
    EXPECT_EQ(kind_unless_text(name, bytes).substr(0, 62),
              "JSON Lines, not text; make a text of them with: jq -j '.text +");
  }
}

// The advice as it is given, followed.
TEST(FileKind, TheLineForNanoGptsTokensMakesAShardThatIsRead) {
  if (std::system("python3 -c 'import numpy' 2>/dev/null") != 0) GTEST_SKIP() << "no numpy";
  const TempDir dir;
  const std::vector<uint16_t> ids = {464, 3290, 13, 50256, 0};
  put_file(dir / "train.bin", {reinterpret_cast<const char*>(ids.data()), 2 * ids.size()});
  const std::string error = error_of([&] { open_shards(dir / "train.bin", 50257); });
  EXPECT_NE(error.find("train.bin: neither a .bin shard"), error.npos) << error;
  const std::string advice = "make a shard for 13_fineweb of it with: ";
  ASSERT_NE(error.find(advice), error.npos) << error;
  ASSERT_EQ(std::system(error.substr(error.find(advice) + advice.size()).c_str()), 0);
  const TokenShard shard(dir / "train.npy", 50257);
  std::vector<int32_t> read(ids.size());
  ASSERT_EQ(shard.size(), int64_t(ids.size()));
  shard.read(0, read);
  EXPECT_TRUE(std::equal(ids.begin(), ids.end(), read.begin()));
}

TEST(FileKind, ACorpusOfDocumentsIsCheckedAsWell) {
  const TempDir dir;
  for (const Case& c : kNoTexts) {
    if (c.name == "train.bin") continue;  // recognised by its name
    put_file(dir / "a.txt", c.bytes);
    EXPECT_NE(error_of([&] { BlockReader(dir / "a.txt"); }), "") << c.name;
  }
  put_file(dir / "a.parquet", "PAR1");
  EXPECT_ERROR(BlockReader(dir / "a.parquet"), "a.parquet: a Parquet table");
}

}  // namespace
}  // namespace gpt2
