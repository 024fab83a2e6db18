#include "common/data/file_kind.h"

#include <cstdlib>

#include "common/data/documents.h"
#include "common/data/shards.h"
#include "tests/common/files.h"
#include "tests/shell.h"

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
                                  {"a.txt", "[Enter HAMLET]\nTo be", ""},
                                  {"a.txt", "[1] A footnote\n[2] Another", ""},
                                  {"a.txt", "{ \"a\" } in quotes", ""},
                                  {"a.txt", "\"a text\"\n", ""},
                                  {"a.bin", "", ""}};

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

TEST(FileKind, RecordsAreNoTextToLearnFrom) {
  const std::string line = "{\"id\": 1, \"text\": \"hello\"}\n", other = "{\"content\": \"hello\"}\n";
  std::string lines, array = "[";
  while (lines.size() < kBeginningBytes) lines += line, array += line + ", ";
  for (const auto& [name, bytes] : std::vector<std::pair<std::string, std::string>>{
           {"a.jsonl", line},
           {"a.ndjson", line},
           {"a.jsonl", other},
           {"a.json", "{\"text\": 7}"},
           {"a.txt", line},
           {"a.txt", line + line},
           {"a.txt", other + other},
           {"a.txt", "\n " + lines},
           {"a.txt", "\xef\xbb\xbf" + lines},
           {"a.txt", "[" + other + ", " + other + "]\n"},
           {"a.txt", "[\n  {\n    \"a\": \"x\"\n  }\n]\n"},
           {"a.txt", array},  // cut
           {"a.txt", "{\"text\": \"" + std::string(kBeginningBytes, 'x')},
           {"a.txt", "{\"text\": \"" + std::string(kBeginningBytes - 11, 'x') + "\xc3\xa4\"}"},
           {"a.txt", "[\"hello\", \"there\"]"}}) {
    EXPECT_EQ(binary_kind(name, bytes), "");
    EXPECT_EQ(kind_unless_text(name, bytes).find("JSON, not text; make a text of its records with: jq -j "),
              0u)
        << name << ": " << bytes.substr(0, 40);
  }
  for (const char* name : {"a.csv", "a.tsv"})
    EXPECT_EQ(
        kind_unless_text(name, "id,text\n1,hello\n").find("a table, not text; make a text of its column"),
        0u);
}

TEST(FileKind, ANulByteAnywhereIsNoText) {
  for (const size_t at : {size_t{0}, size_t{7999}, size_t{8000}, kBeginningBytes, 10 * kBeginningBytes}) {
    const std::string bytes = std::string(at, 'x') + std::string(1, '\0') + "tail";
    EXPECT_EQ(kind_unless_text("a.txt", bytes),
              "not text: it has a NUL byte at offset " + std::to_string(at));
  }
}

// Each command, read by a shell, has the file's name as one of its words.
TEST(FileKind, TheAdviceQuotesTheFilesName) {
  const TempDir dir;
  std::vector<Case> cases = kNoTexts;
  cases.push_back({"a.jsonl", "{\"text\": \"x\"}\n", ""});
  cases.push_back({"a.csv", "text\nx\n", ""});
  for (const Case& c : cases) {
    const std::string name = "it's \"my\" $HOME/" + c.name, kind = kind_unless_text(name, c.bytes);
    const size_t with = kind.find(" with: ");
    if (with == kind.npos) continue;
    const std::string command = kind.substr(with + 7, kind.find("; tokenize") - with - 7);
    const testing::Outcome outcome =
        testing::shell("cd " + dir.path() + " && set -- " + command.substr(0, command.find(" > ")) +
                       "\nprintf '<%s>' \"$@\"");
    EXPECT_NE(outcome.output.find("<" + name + ">"), outcome.output.npos) << kind << "\n" << outcome.output;
  }
}

TEST(FileKind, TheAdviceForJsonMakesATextThatIsRead) {
  if (std::system("command -v jq > /dev/null") != 0) GTEST_SKIP() << "no jq";
  const TempDir dir;
  const std::string a = "{\"text\": \"one\"}", b = "{\"text\": \"two\"}";
  for (const std::string& bytes : {a + "\n" + b + "\n", "[" + a + ",\n" + b + "]"}) {
    put_file(dir / "it's a.json", bytes);
    const std::string kind = kind_unless_text(dir / "it's a.json", bytes), before = "records with: ";
    ASSERT_NE(kind.find(before), kind.npos) << kind;
    const std::string command = kind.substr(kind.find(before) + before.size());
    ASSERT_EQ(std::system(("cd " + dir.path() + " && " + command).c_str()), 0);
    EXPECT_EQ(file_bytes(dir / "text.txt"), "one<|endoftext|>two<|endoftext|>");
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
