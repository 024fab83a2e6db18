#include "common/text/bpe.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <ctime>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <random>
#include <string>

#include "paths.h"
#include "tests/common/files.h"

namespace gpt2 {
namespace {

using testing::file_bytes;
using testing::put_file;
using testing::TempDir;
using Ids = std::vector<int32_t>;

const std::string kRoot = GPT2_SOURCE_DIR;

// The byte vocabulary and one token more for each merge "left right", ids in the merges' order.
BpeTokenizer tokenizer_of(const std::vector<std::pair<std::string, std::string>>& merges) {
  nlohmann::json tokens;
  for (const auto& [spelling, id] : byte_vocabulary().ids) tokens[spelling] = id;
  std::string lines = "#version: 0.2\n";
  for (const auto& [left, right] : merges) {
    tokens[left + right] = tokens.size();
    lines += left + " " + right + "\n";
  }
  Vocabulary vocabulary = parse_vocabulary(tokens.dump(), "vocab.json");
  std::vector<Merge> parsed = parse_merges(lines, "merges.txt", vocabulary);
  return {std::move(vocabulary), std::move(parsed)};
}

std::vector<std::pair<std::string, std::string>> random_merges(std::mt19937& random, size_t count) {
  std::vector<std::string> tokens = {"a", "b", "c"};
  std::vector<std::pair<std::string, std::string>> merges;
  while (merges.size() < count) {
    const std::string left = tokens[random() % tokens.size()], right = tokens[random() % tokens.size()];
    if (std::find(tokens.begin(), tokens.end(), left + right) != tokens.end()) continue;
    merges.emplace_back(left, right);
    tokens.push_back(left + right);
  }
  return merges;
}

// The tokens of a word by the definition: look at all neighbours, merge the best, begin anew.
std::vector<std::string> oracle(const std::string& word,
                                const std::vector<std::pair<std::string, std::string>>& merges) {
  std::vector<std::string> tokens;
  for (const char c : word) tokens.emplace_back(1, c);
  for (;;) {
    size_t best_rank = merges.size(), best = 0;
    for (size_t i = 0; i + 1 < tokens.size(); ++i) {
      const auto found = std::find(merges.begin(), merges.end(), std::pair(tokens[i], tokens[i + 1]));
      const auto rank = static_cast<size_t>(found - merges.begin());
      if (rank < best_rank) best_rank = rank, best = i;
    }
    if (best_rank == merges.size()) return tokens;
    tokens[best] += tokens[best + 1];
    tokens.erase(tokens.begin() + static_cast<std::ptrdiff_t>(best) + 1);
  }
}

TEST(Bpe, AgreesWithTheOracleOnRandomMerges) {
  std::mt19937 random(3);
  for (int round = 0; round < 200; ++round) {
    const auto merges = random_merges(random, round % 50);
    const BpeTokenizer tokenizer = tokenizer_of(merges);
    std::string word;
    for (unsigned i = 1 + random() % 60; i > 0; --i) word += "abc"[random() % 3];
    std::vector<std::string> tokens;
    for (const int32_t id : tokenizer.encode(word)) tokens.push_back(tokenizer.decode({{id}}));
    ASSERT_EQ(tokens, oracle(word, merges)) << word;
  }
}

TEST(Bpe, OfEqualPairsTheLeftmostMergesFirst) {
  const BpeTokenizer tokenizer = tokenizer_of({{"a", "a"}});
  EXPECT_EQ(tokenizer.encode("aaa"), (Ids{257, 64}));
  EXPECT_EQ(tokenizer.encode("aaaa"), (Ids{257, 257}));
}

TEST(Bpe, APieceThatComesAgainHasTheSameIds) {
  const BpeTokenizer tokenizer = tokenizer_of({{"a", "b"}, {"ab", "c"}});
  std::mt19937 random(4);
  std::string text;
  Ids expected;
  for (int i = 0; i < 20000; ++i) {
    std::string word = "\n";
    for (unsigned k = 1 + random() % 6; k > 0; --k) word += "abc"[random() % 3];
    const Ids ids = tokenizer.encode(word);
    expected.insert(expected.end(), ids.begin(), ids.end());
    text += word;
  }
  EXPECT_EQ(tokenizer.encode(text), expected);
}

TEST(Bpe, DecodeOfEncodeIsTheIdentityForAnyBytes) {
  std::mt19937 random(5);
  const BpeTokenizer tokenizer = tokenizer_of(random_merges(random, 50));
  for (int round = 0; round < 300; ++round) {
    std::string text;
    for (unsigned i = random() % 300; i > 0; --i)
      text += char(random() % 2 ? random() % 256 : 'a' + random() % 3);
    const Ids ids = tokenizer.encode(text);
    ASSERT_EQ(tokenizer.decode(ids), text);
    for (const int32_t id : ids) ASSERT_NE(id, tokenizer.end_of_text());
  }
}

TEST(Bpe, DecodeRefusesAnIdOutsideTheVocabulary) {
  const BpeTokenizer tokenizer(byte_vocabulary(), {});
  EXPECT_ERROR(tokenizer.decode({{64, 257}}), "token id 257 is outside the vocabulary (257)");
  EXPECT_ERROR(tokenizer.decode({{-1}}), "token id -1 is outside the vocabulary (257)");
}

// The files of GPT-2's own vocabulary, where data/gpt2 has them.
class Gpt2Bpe : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists(kRoot + "/data/gpt2/vocab.bpe"))
      GTEST_SKIP() << "no data/gpt2/vocab.bpe; ./course data gpt2 fetches it";
    tokenizer_ = make_tokenizer(kRoot + "/data/gpt2", "");
  }
  std::unique_ptr<Tokenizer> tokenizer_;
};

TEST_F(Gpt2Bpe, GivesThePublishedIds) {
  EXPECT_EQ(tokenizer_->vocab_size(), 50257);
  EXPECT_EQ(tokenizer_->end_of_text(), 50256);
  EXPECT_EQ(tokenizer_->encode("hello world"), (Ids{31373, 995}));
  EXPECT_EQ(tokenizer_->encode("indivisible"), (Ids{521, 452, 12843}));
  EXPECT_EQ(tokenizer_->encode("<|endoftext|>"), (Ids{27, 91, 437, 1659, 5239, 91, 29}));
  EXPECT_EQ(tokenizer_->encode_documents("hello<|endoftext|> world"), (Ids{31373, 50256, 995}));
}

TEST_F(Gpt2Bpe, TinyShakespeareIs338025Ids) {
  const std::string path = kRoot + "/data/shakespeare/input.txt";
  if (!std::filesystem::exists(path))
    GTEST_SKIP() << "no " << path << "; ./course data shakespeare fetches it";
  const std::string text = file_bytes(path);
  const Ids ids = tokenizer_->encode(text);
  EXPECT_EQ(ids.size(), 338025u);
  EXPECT_EQ(Ids(ids.begin(), ids.begin() + 10), (Ids{5962, 22307, 25, 198, 8421, 356, 5120, 597, 2252, 11}));
  EXPECT_EQ(tokenizer_->decode(ids), text);
}

TEST_F(Gpt2Bpe, GivesTiktokensIds) {
  const auto golden = nlohmann::json::parse(file_bytes(kRoot + "/tests/golden/tokenizer.json"));
  ASSERT_GE(golden.at("texts").size(), 20u);
  for (const auto& entry : golden.at("texts")) {
    const std::string hex = entry.at("text");
    std::string text;
    for (size_t i = 0; i < hex.size(); i += 2) text += char(std::stoi(hex.substr(i, 2), nullptr, 16));
    EXPECT_EQ(tokenizer_->encode(text), entry.at("ids").get<Ids>()) << text;
  }
}

TEST_F(Gpt2Bpe, ItsFilesReopenToTheSameIds) {
  const TempDir folder;
  for (const Tokenizer::File& file : tokenizer_->files()) put_file(folder / file.name, file.text);
  const auto reopened = make_tokenizer(folder.path(), "");
  ASSERT_EQ(reopened->vocab_size(), 50257);
  for (int32_t id = 0; id < 50257; ++id)
    ASSERT_EQ(reopened->decode({{id}}), tokenizer_->decode({{id}})) << id;
  // GPT-2's file has its merges in this very form.
  EXPECT_EQ(file_bytes(folder / "merges.txt"), file_bytes(kRoot + "/data/gpt2/vocab.bpe"));
}

TEST_F(Gpt2Bpe, AMegabyteInOnePieceEndsSoon) {
  // A quadratic merge takes minutes; it is well under a second, but for debug builds and sanitizers.
  for (const char c : {'a', '1', '!', ' ', '\x80'}) {
    const std::string text(1'000'000, c);
    const std::clock_t start = std::clock();
    EXPECT_EQ(tokenizer_->decode(tokenizer_->encode(text)), text);
    EXPECT_LE(std::clock() - start, 10 * CLOCKS_PER_SEC) << c;
  }
}

}  // namespace
}  // namespace gpt2
