#include "common/data/documents.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <random>

#include "paths.h"
#include "tests/common/files.h"

namespace gpt2 {
namespace {

using testing::error_of;
using testing::put_file;
using testing::TempDir;

using Ids = std::vector<int32_t>;

std::unique_ptr<Tokenizer> fixture_tokenizer() {
  return make_tokenizer(GPT2_SOURCE_DIR "/data/fixtures/tiny-gpt2", "");
}

// The documents' ids by the definition.
Ids ids_of(const Tokenizer& tokenizer, const std::vector<std::string>& documents) {
  Ids ids;
  for (const std::string& document : documents) {
    if (document.empty()) continue;
    ids.push_back(*tokenizer.end_of_text());
    for (const int32_t id : tokenizer.encode(document)) ids.push_back(id);
  }
  return ids;
}

std::vector<Block> blocks_of(const std::string& path, size_t block_bytes, BlockStart start = {}) {
  BlockReader reader(path, start, block_bytes);
  std::vector<Block> blocks;
  for (Block block; reader.next(block);) blocks.push_back(block);
  return blocks;
}

Ids ids_of_blocks(const Tokenizer& tokenizer, const std::vector<Block>& blocks) {
  Ids ids;
  for (const Block& block : blocks) {
    EXPECT_FALSE(block.text.empty());
    for (const int32_t id : encode_block(tokenizer, block)) ids.push_back(id);
  }
  return ids;
}

std::string joined(const std::vector<std::string>& documents) {
  std::string text;
  for (const std::string& document : documents) text += document + std::string(kEndOfText);
  return text;
}

std::vector<std::string> random_documents(std::mt19937& random) {
  const std::vector<std::string> pieces = {" ",     "  ",   "\n",  "\n\n",      "a",  "the", " the",
                                           "don't", "'s",   "123", "é ",        "世", "!?",  ".\n",
                                           "\t",    "\xff", "<|",  "endoftext", "|>", " x "};
  std::vector<std::string> documents(1 + random() % 4);
  for (std::string& document : documents) {
    for (size_t n = random() % 60; n > 0; --n) document += pieces[random() % pieces.size()];
    if (document.find(kEndOfText) != document.npos) document.clear();
  }
  return documents;
}

// The claim that lets any number of threads encode one text.
TEST(Documents, ATextInBlocksHasTheIdsOfTheWhole) {
  const TempDir dir;
  const auto tokenizer = fixture_tokenizer();
  std::mt19937 random(1337);
  size_t most = 0;
  for (int i = 0; i < 300; ++i) {
    const auto documents = random_documents(random);
    put_file(dir / "a.txt", joined(documents));
    for (const size_t block_bytes : {3, 10, 50, 100'000}) {
      const auto blocks = blocks_of(dir / "a.txt", block_bytes);
      most = std::max(most, blocks.size());
      ASSERT_EQ(ids_of_blocks(*tokenizer, blocks), ids_of(*tokenizer, documents)) << joined(documents);
    }
  }
  EXPECT_GT(most, 20u);
}

TEST(Documents, AReaderGoesOnFromTheStartOfAnyBlock) {
  const TempDir dir;
  std::mt19937 random(7);
  std::string text, lines;
  for (int i = 0; i < 20; ++i) text += joined(random_documents(random));
  for (int i = 0; i < 50; ++i) lines += "{\"text\": \"line " + std::string(i, 'x') + "\"}\n";
  put_file(dir / "a.txt", text);
  put_file(dir / "a.jsonl", lines);
  for (const char* name : {"a.txt", "a.jsonl"}) {
    const auto blocks = blocks_of(dir / name, 64);
    ASSERT_GT(blocks.size(), 10u);
    for (size_t i = 0; i < blocks.size(); ++i) {
      const auto rest = blocks_of(dir / name, 64, blocks[i].start);
      // the cuts may fall elsewhere, the text may not
      std::string expected, found;
      for (size_t j = i; j < blocks.size(); ++j) expected += blocks[j].text;
      for (const Block& block : rest) found += block.text;
      ASSERT_EQ(found, expected);
      ASSERT_EQ(rest[0].start, blocks[i].start);
    }
  }
  EXPECT_ERROR(BlockReader(dir / "a.txt", {.offset = 1'000'000}),
               dir / "a.txt" + ": ends before byte 1000000");
}

TEST(Documents, AReaderDoesNotBeginWhereNoBlockCan) {
  const TempDir dir;
  put_file(dir / "a.txt", "one two<|endoftext|>three four");
  put_file(dir / "a.jsonl", "{\"text\": \"a\"}\n{\"text\": \"b\"}\n");
  const std::vector<std::pair<std::string, BlockStart>> cases = {
      {"a.txt", {.offset = -1}},
      {"a.txt", {.offset = 3}},  // of no document's beginning
      {"a.txt", {.offset = 20, .begins_document = false}},
      {"a.txt", {.begins_document = false}},
      {"a.txt", {.line = 2}},
      {"a.jsonl", {.offset = 5}},
      {"a.jsonl", {.offset = 14}},
      {"a.jsonl", {.offset = 14, .line = 3}},
      {"a.jsonl", {.line = 0}}};
  for (const auto& [name, start] : cases)
    EXPECT_ERROR(BlockReader(dir / name, start), dir / name + ": no block begins at byte");
  EXPECT_NO_THROW(BlockReader(dir / "a.txt", {.offset = 3, .begins_document = false}));
  EXPECT_NO_THROW(BlockReader(dir / "a.txt", {.offset = 20}));
  EXPECT_NO_THROW(BlockReader(dir / "a.jsonl", {.offset = 14, .line = 2}));
}

// The time is that of the bytes, not of their square: 40,000 blocks of one line would take minutes otherwise.
TEST(Documents, AHugeLineIsReadInLinearTime) {
  const TempDir dir;
  put_file(dir / "a.jsonl", "{\"text\": \"" + std::string(20'000'000, 'x') + "\"}\n{\"text\": \"b\"}\n");
  put_file(dir / "a.txt", std::string(20'000'000, 'x') + " b");
  for (const char* name : {"a.jsonl", "a.txt"}) {
    const auto start = std::chrono::steady_clock::now();
    EXPECT_LE(blocks_of(dir / name, 500).size(), 2u);
    EXPECT_LE(std::chrono::steady_clock::now() - start, std::chrono::seconds(20)) << name;
  }
}

TEST(Documents, EachLineOfJsonIsOne) {
  const TempDir dir;
  const auto tokenizer = fixture_tokenizer();
  put_file(dir / "a.jsonl",
           "{\"text\": \"hello\", \"id\": 7}\n{\"id\": {\"a\": [1]}, \"text\": \"a\\nb "
           "\\u00e9\"}\n\n{\"text\": \"\"}\r\n"
           "{\"text\": \"<|endoftext|> is text\"}");  // no line break at the end
  const Ids expected = ids_of(*tokenizer, {"hello", "a\nb é", "<|endoftext|> is text"});
  for (const size_t block_bytes : {1, 40, 1000})
    EXPECT_EQ(ids_of_blocks(*tokenizer, blocks_of(dir / "a.jsonl", block_bytes)), expected);
}

TEST(Documents, FilesFromWindowsAreTheSame) {
  const TempDir dir;
  const auto tokenizer = fixture_tokenizer();
  const std::string mark = "\xEF\xBB\xBF";
  put_file(dir / "a.txt", mark + "hello you\r\nthere<|endoftext|>\r\nnext\rone\r\n");
  put_file(dir / "a.jsonl", mark + "{\"text\": \"hello\\r\\n\"}\r\n\r\n{\"text\": \"b\"}\r\n");
  for (const size_t block_bytes : {1, 40, 1000}) {
    EXPECT_EQ(ids_of_blocks(*tokenizer, blocks_of(dir / "a.txt", block_bytes)),
              ids_of(*tokenizer, {"hello you\nthere", "\nnext\rone\n"}));
    EXPECT_EQ(ids_of_blocks(*tokenizer, blocks_of(dir / "a.jsonl", block_bytes)),
              ids_of(*tokenizer, {"hello\r\n", "b"}));
  }
  for (const char* name : {"b.txt", "b.jsonl"}) {
    put_file(dir / name, std::string("\xFF\xFEh\0i\0", 6));
    EXPECT_ERROR(ids_of_blocks(*tokenizer, blocks_of(dir / name, 100)), dir / name + ": text in UTF-16");
  }
}

TEST(Documents, AWrongLineIsNamedWithItsFile) {
  const TempDir dir;
  const auto tokenizer = fixture_tokenizer();
  const std::string good = "{\"text\": \"hello\"}\n";
  for (const char* bad :
       {"{\"text\": \"hello\"", "[1]", "{\"text\": 7}", "{}", "hello", "{\"text\": \"\xff\"}"}) {
    put_file(dir / "a.jsonl", good + "\n" + good + bad + "\n" + good);
    for (const size_t block_bytes : {1, 1000}) {
      EXPECT_ERROR(ids_of_blocks(*tokenizer, blocks_of(dir / "a.jsonl", block_bytes)),
                   dir / "a.jsonl" + ", line 4: not ");
    }
  }
}

TEST(Documents, OtherFilesAndTokenizersAreRefused) {
  const TempDir dir;
  for (const char* name : {"a.pdf", "a.txt.xz", "a", "a.gz", "txt"}) {
    put_file(dir / name, "hello");
    EXPECT_ERROR(BlockReader(dir / name), dir / name + ": neither .txt nor .jsonl");
  }
  EXPECT_ERROR(BlockReader(dir / "no.txt"), dir / "no.txt" + ": cannot open");
  put_file(dir / "a.txt", "hello");
  const auto tokenizer = make_tokenizer("char", "hello");
  EXPECT_ERROR(ids_of_blocks(*tokenizer, blocks_of(dir / "a.txt", 100)),
               "the tokenizer has no <|endoftext|>");
}

// Packed by the system's programs, where it has them.
class PackedText : public ::testing::TestWithParam<std::string> {
 protected:
  // A build without the library says so.
  void SetUp() override {
#ifdef GPT2_HAVE_ZLIB
    if (GetParam() == ".gz") return;
#endif
#ifdef GPT2_HAVE_ZSTD
    if (GetParam() == ".zst") return;
#endif
    EXPECT_ERROR(open_text(dir_ / "a.txt" + GetParam()), "and build again, or unpack it first");
    GTEST_SKIP() << "built without the library that unpacks " << GetParam();
  }
  // Packs `text`; the name of the file.
  std::string pack(const std::string& text) {
    const std::string program = GetParam() == ".gz" ? "gzip" : "zstd";
    put_file(dir_ / "a.txt", text);
    const std::string path = dir_ / "a.txt" + GetParam();
    std::filesystem::remove(path);
    packed_ = std::system((program + " -q -c " + (dir_ / "a.txt") + " > " + path).c_str()) == 0;
    return path;
  }
  std::string read(const std::string& path, size_t step) {
    const auto input = open_text(path);
    std::string text, buffer(step, ' ');
    for (size_t n; (n = input->read(buffer)) > 0;) text.append(buffer, 0, n);
    EXPECT_EQ(input->file_position(), int64_t(std::filesystem::file_size(path)));
    return text;
  }
  TempDir dir_;
  bool packed_ = false;
};

TEST_P(PackedText, IsUnpacked) {
  std::mt19937 random(1);
  std::string text;
  while (text.size() < 3'000'000)
    text += "some words " + std::to_string(random() % 1000) + std::string(20, '\n');
  for (const std::string& whole : {std::string(), std::string("x"), text, std::string(5'000'000, 'a')}) {
    const std::string path = pack(whole);
    if (!packed_) GTEST_SKIP() << "no program to pack " << GetParam();
    for (const size_t step : {1000, 1 << 20, 10'000'000}) EXPECT_TRUE(read(path, step) == whole);
    const std::string bytes = testing::file_bytes(path);
    put_file(path, bytes + bytes);  // two archives, one after the other
    EXPECT_TRUE(read(path, 1 << 20) == whole + whole);
  }
}

TEST_P(PackedText, DamagedOrTruncatedIsAnErrorThatNamesTheFile) {
  const std::string path = pack(std::string(100'000, 'a') + "hello");
  if (!packed_) GTEST_SKIP() << "no program to pack " << GetParam();
  const std::string bytes = testing::file_bytes(path);
  for (size_t size = 1; size < bytes.size(); ++size) {
    put_file(path, bytes.substr(0, size));
    EXPECT_ERROR(read(path, 1 << 20), path + ": damaged or truncated");
  }
  put_file(path, "hello world, this is no archive");
  EXPECT_ERROR(read(path, 100), path + ": damaged or truncated");
}

INSTANTIATE_TEST_SUITE_P(Formats, PackedText, ::testing::Values(".gz", ".zst"),
                         [](const auto& test) { return test.param.substr(1); });

}  // namespace
}  // namespace gpt2
