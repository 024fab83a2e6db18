#include "common/text/tokenizer.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <numeric>
#include <random>
#include <string>
#include <tuple>

#include "common/text/char_tokenizer.h"
#include "paths.h"
#include "tests/common/files.h"

namespace gpt2 {
namespace {

using testing::file_bytes;
using testing::put_file;
using testing::TempDir;
using Ids = std::vector<int32_t>;

// encoder.json of the byte tokenizer and more tokens: "he" (257) and those in `more`.
std::string vocabulary_json(const std::string& more = "") {
  const auto byte = make_tokenizer("byte", "");
  std::string json = "{\"<|endoftext|>\": 256, \"he\": 257" + more;
  for (int id = 0; id < 256; ++id) {
    const unsigned b = static_cast<unsigned char>(byte->decode({{id}})[0]);
    const bool itself = (b > 0x20 && b < 0x7F) || (b > 0xA0 && b != 0xAD);
    json += fmt::format(", \"\\u{:04x}\": {}", itself ? b : 0x100 + id - 188, id);
  }
  return json + "}";
}

// The tokenizer that make_tokenizer makes of another's files.
std::unique_ptr<Tokenizer> reopened(const Tokenizer& tokenizer) {
  const TempDir folder;
  for (const Tokenizer::File& file : tokenizer.files()) put_file(folder / file.name, file.text);
  return make_tokenizer(folder.path(), "");
}

// Both have the same tokens under the same ids, and encode `text` alike.
void expect_same(const Tokenizer& a, const Tokenizer& b, const std::string& text) {
  ASSERT_EQ(a.vocab_size(), b.vocab_size());
  EXPECT_EQ(a.end_of_text(), b.end_of_text());
  for (int32_t id = 0; id < a.vocab_size(); ++id) ASSERT_EQ(a.decode({{id}}), b.decode({{id}})) << id;
  EXPECT_EQ(a.encode(text), b.encode(text));
}

std::string random_bytes(int n) {
  std::mt19937 random(6);
  std::string bytes;
  for (int i = 0; i < n; ++i) bytes += char(random() % 256);
  return bytes;
}

TEST(ByteTokenizer, IsGpt2sFirst256IdsAndEndOfText) {
  const auto tokenizer = make_tokenizer("byte", "");
  EXPECT_EQ(tokenizer->vocab_size(), 257);
  EXPECT_EQ(tokenizer->end_of_text(), 256);
  EXPECT_EQ(tokenizer->encode("Hi there\n"), (Ids{39, 72, 220, 83, 71, 68, 81, 68, 198}));
  std::string bytes(256, '\0');
  std::iota(bytes.begin(), bytes.end(), '\0');
  EXPECT_EQ(tokenizer->decode(tokenizer->encode(bytes)), bytes);
}

TEST(Tokenizer, EndOfTextIsATokenOnlyWhereAskedFor) {
  const auto tokenizer = make_tokenizer("byte", "");
  EXPECT_EQ(tokenizer->encode("<|endoftext|>").size(), 13u);
  EXPECT_EQ(tokenizer->encode_documents("<|endoftext|>a<|endoftext|><|endoftext|>b<|endoftext"),
            (Ids{256, 64, 256, 256, 65, 27, 91, 68, 77, 67, 78, 69, 83, 68, 87, 83}));
  EXPECT_EQ(tokenizer->encode_documents(""), Ids{});
  EXPECT_EQ(tokenizer->decode({{64, 256}}), "a<|endoftext|>");
}

// What a folder's tokenizer makes of a text, with and without special tokens.
TEST(Tokenizer, AddedTokensAreFoundInATextAsTheyAreWritten) {
  const TempDir folder;
  put_file(folder / "vocab.json", vocabulary_json());
  put_file(folder / "merges.txt", "h e\n");
  put_file(folder / "added_tokens.json", R"({"[PAD]": 258, "<|u": 259, "<|u|>": 260, "a a": 261})");
  const auto tokenizer = make_tokenizer(folder.path(), "");
  EXPECT_EQ(tokenizer->vocab_size(), 262);
  EXPECT_EQ(tokenizer->base_size(), 258);
  for (const auto& [text, ids] :
       std::vector<std::pair<std::string, Ids>>{{"", {}},
                                                {"he", {257}},
                                                {"[PAD]", {258}},
                                                {"he[PAD]he", {257, 258, 257}},
                                                {"<|u|>[PAD]<|u|", {260, 258, 259, 91}},
                                                {"a a a", {261, 220, 64}},
                                                {"h<|endoftext|>e", {71, 256, 68}}}) {
    EXPECT_EQ(tokenizer->encode_documents(text), ids) << text;
    EXPECT_EQ(tokenizer->decode(ids), text);
    for (const int32_t id : tokenizer->encode(text)) EXPECT_LT(id, 258);
  }
  expect_same(*reopened(*tokenizer), *tokenizer, "the he");
  EXPECT_EQ(reopened(*tokenizer)->encode_documents("[PAD]a a"), (Ids{258, 261}));
  tokenizer->read_special_tokens(false);
  EXPECT_EQ(tokenizer->encode_documents("[PAD]"), tokenizer->encode("[PAD]"));
  EXPECT_EQ(tokenizer->encode_documents("<|endoftext|>").size(), 13u);
}

TEST(CharTokenizer, NumbersTheCharactersOfTheCorpusByCodePoint) {
  const auto tokenizer = make_tokenizer("char", "hé\xE2\x82\xAC!\xF0\x9F\x99\x82 h\nh");
  EXPECT_EQ(tokenizer->vocab_size(), 7);
  EXPECT_EQ(tokenizer->end_of_text(), std::nullopt);
  EXPECT_EQ(tokenizer->encode("\n !hé\xE2\x82\xAC\xF0\x9F\x99\x82"), (Ids{0, 1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(tokenizer->decode({{3, 4}}), "hé");
  EXPECT_ERROR(tokenizer->decode({{7}}), "token id 7 is outside the vocabulary (7)");
}

TEST(CharTokenizer, ACharacterThatTheCorpusHasNotIsNamed) {
  const auto tokenizer = make_tokenizer("char", "abc");
  EXPECT_ERROR(tokenizer->encode("abd"), "tokenizer char: \"d\" is not among the 3 characters");
  EXPECT_ERROR(tokenizer->encode("\n"), "tokenizer char: \"\\n\" is not among the 3 characters");
  EXPECT_ERROR(make_tokenizer("char", ""),
               "tokenizer char: the text that it takes its characters from is empty");
}

TEST(CharTokenizer, DecodeOfEncodeIsTheCorpusForAnyBytes) {
  const std::string corpus = random_bytes(10000);
  const auto tokenizer = make_tokenizer("char", corpus);
  EXPECT_EQ(tokenizer->decode(tokenizer->encode(corpus)), corpus);
}

TEST(TokenizerFiles, ReopenToTheSameBytes) {
  const auto tokenizer = make_tokenizer("byte", "");
  const std::vector<Tokenizer::File> files = tokenizer->files();
  ASSERT_EQ(files.size(), 2u);
  EXPECT_EQ(files[0].name, "vocab.json");
  EXPECT_EQ(files[1].name, "merges.txt");
  EXPECT_EQ(files[1].text, "#version: 0.2\n");
  expect_same(*reopened(*tokenizer), *tokenizer, random_bytes(10000));
}

TEST(TokenizerFiles, ReopenToTheSameMerges) {
  const TempDir folder;
  put_file(folder / "encoder.json", vocabulary_json());
  put_file(folder / "vocab.bpe", "h e\n");
  const auto tokenizer = make_tokenizer(folder.path(), "");
  EXPECT_EQ(tokenizer->files()[1].text, "#version: 0.2\nh e\n");
  expect_same(*reopened(*tokenizer), *tokenizer, "the he");
}

TEST(TokenizerFiles, ReopenToTheSameCharacters) {
  const std::string quoted("a\"\\<0xFF>\n\0\x7F", 12);  // what JSON escapes, and what looks like our escape
  for (const std::string& corpus :
       {std::string("hello\n"), quoted, std::string("h\xC3\xA9\xE2\x82\xAC\xF0\x9F\x99\x82"),
        "\xC3(\xFF<" + quoted, random_bytes(10000)}) {
    const auto tokenizer = make_tokenizer("char", corpus);
    ASSERT_EQ(tokenizer->files().size(), 1u);
    EXPECT_EQ(tokenizer->files()[0].name, "vocab.json");
    expect_same(*reopened(*tokenizer), *tokenizer, corpus);
  }
  EXPECT_EQ(make_tokenizer("char", "b\xFF\na")->files()[0].text,
            "{\"\\n\":0,\"<0xFF>\":3,\"a\":1,\"b\":2}\n");
}

TEST(CharVocabulary, IsNotTrusted) {
  const auto parse = [](const char* json) { parse_characters(json, "vocab.json"); };
  EXPECT_ERROR(parse("{\"a\": 0,"), "vocab.json: not valid JSON (line 1");
  EXPECT_ERROR(parse("{\"\xFF\": 0}"), "vocab.json: not valid JSON");
  EXPECT_ERROR(parse("[\"a\"]"), "vocab.json: not a vocabulary");
  EXPECT_ERROR(parse("{}"), "vocab.json: holds no characters");
  EXPECT_ERROR(parse(R"({"a": 0, "b": 0})"), R"(vocab.json: tokens "a" and "b" have the same id 0)");
  EXPECT_ERROR(parse(R"({"a": 0, "b": 2})"),
               R"(vocab.json: token "b" has the id 2; 2 tokens have the ids 0 to 1)");
  EXPECT_ERROR(parse(R"({"a": 0, "b": "1"})"),
               R"(vocab.json: token "b" has the id "1", which is not an integer)");
  EXPECT_ERROR(parse(R"({"a": 0, "\u0061": 1})"), R"(vocab.json: JSON has the key "a" twice)");
  for (const char* key : {"", "ab", "\xC3\xA9!", "<0x41>", "<0xff>", "<0xFF>a"})
    EXPECT_ERROR(parse(fmt::format("{{\"{}\": 0}}", key).c_str()), "is not one character");
}

TEST(MakeTokenizer, OpensBothPairsOfNames) {
  for (const auto& [vocabulary, merges] :
       {std::pair{"encoder.json", "vocab.bpe"}, {"vocab.json", "merges.txt"}}) {
    const TempDir folder;
    put_file(folder / vocabulary, vocabulary_json());
    put_file(folder / merges, "#version: 0.2\nh e\n");
    const auto tokenizer = make_tokenizer(folder.path(), "");
    EXPECT_EQ(tokenizer->vocab_size(), 258);
    EXPECT_EQ(tokenizer->encode("the he"), (Ids{83, 257, 220, 257}));
  }
}

// What transformers makes of the files beside vocab.json and merges.txt: we give its ids, or name the setting.
TEST(MakeTokenizer, GivesTheIdsOfTransformersOrNamesTheSetting) {
  const auto golden =
      nlohmann::json::parse(file_bytes(GPT2_SOURCE_DIR "/tests/golden/tokenizer_config.json"));
  const std::string text = golden.at("text");
  ASSERT_GE(golden.at("cases").size(), 20u);
  for (const auto& c : golden.at("cases")) {
    SCOPED_TRACE(c.at("name"));
    const TempDir folder;
    put_file(folder / "vocab.json", vocabulary_json(", \"<pad>\": 258"));
    put_file(folder / "merges.txt", "#version: 0.2\nh e\n");
    for (const auto& [name, content] : c.at("files").items()) put_file(folder / name, content.dump());
    const std::string refused = c.at("refused");
    if (!refused.empty()) {
      EXPECT_ERROR(make_tokenizer(folder.path(), ""), refused);
      continue;
    }
    const auto tokenizer = make_tokenizer(folder.path(), "");
    EXPECT_EQ(tokenizer->encode_documents(text), c.at("ids").get<Ids>());
    EXPECT_EQ(reopened(*tokenizer)->encode_documents(text), c.at("ids").get<Ids>());
    EXPECT_EQ(identity(*reopened(*tokenizer)), identity(*tokenizer));
  }
}

TEST(MakeTokenizer, DoesNotTrustTheFilesBesideTheVocabulary) {
  const TempDir folder;
  put_file(folder / "vocab.json", vocabulary_json());
  put_file(folder / "merges.txt", "h e\n");
  for (const auto& [json, expected] : std::vector<std::pair<std::string, std::string>>{
           {"", "not valid JSON"},
           {"[]", "not a tokenizer's settings"},
           {R"({"tokenizer_class": "RobertaTokenizer"})", "tokenizer_class is \"RobertaTokenizer\""},
           {R"({"add_prefix_space": "true"})", "add_prefix_space is \"true\""},
           {R"({"pad_token": 7})", "pad_token is 7"},
           {R"({"pad_token": ""})", "pad_token is \"\""},
           {R"({"pad_token": {"text": "he"}})", "pad_token is {\"text\":\"he\"}"},
           {R"({"additional_special_tokens": [["he"]]})", "additional_special_tokens is [[\"he\"]]"},
           {R"({"added_tokens_decoder": []})", "added_tokens_decoder is []"},
           {R"({"added_tokens_decoder": {"x": {"content": "a"}}})", "added_tokens_decoder is {\"x\":"},
           {R"({"added_tokens_decoder": {"258": "a"}})", "added_tokens_decoder.258 is \"a\""},
           {R"({"added_tokens_decoder": {"-1": {"content": "a"}}})", "added_tokens_decoder is {\"-1\":"},
           {R"({"added_tokens_decoder": {"256": {"content": "a"}}})",
            "token \"a\" has two ids, 64 and 256"}}) {
    for (const char* name : {"tokenizer_config.json", "special_tokens_map.json"}) {
      put_file(folder / name, json);
      EXPECT_ERROR(make_tokenizer(folder.path(), ""), expected);
      std::filesystem::remove(folder / name);
    }
  }
}

// A merges file that was emptied or cut would give the ids of another language.
TEST(MakeTokenizer, AMergesFileThatDoesNotMakeTheVocabularyIsRefused) {
  const std::string learned = ", \"\\u0120he\": 258", more = learned + ", \"the\": 259",
                    special = learned + ", \"<pad>\": 259, \"[CLS]\": 260, \"<|user|>\": 261";
  for (const auto& [tokens, merges, expected] :
       std::vector<std::tuple<std::string, std::string, std::string>>{
           {"", "h e\n", ""},
           {"", "h e", ""},
           {"", "#version: 0.2\r\nh e\r\n", ""},
           {learned, "h e\r\n\xC4\xA0 he\r", ""},
           {"", "h e\nh e\n", ""},
           {special, "h e\n\xC4\xA0 he\n", ""},
           {more, "h e\nt he\n\xC4\xA0 he\n", ""},
           {"", "", "merges.txt: no merge makes the token \"he\" (id 257) of "},
           {"", "#version: 0.2\n", "no merge makes the token \"he\" (id 257)"},
           {learned, "#version: 0.2\nh e\n", "no merge makes the token \" he\" (id 258)"},
           {more, "h e\n\xC4\xA0 he\n", "no merge makes the token \"the\" (id 259)"},
           {special, "h e\n", "no merge makes the token \" he\" (id 258)"},
           {learned, "#version: 0.2\nh e\n\xC4\xA0 h", "token \"\\u0120h\" is not in "},
           {learned, "#version: 0.2\nh e\n\xC4\xA0", "is not a merge"},
           {"", "#version: 0.2\rh e\r", "merges.txt, line 1: lines end in CR alone"},
           {learned, "h e\r\xC4\xA0 he\r\n", "merges.txt, line 1: lines end in CR alone"}}) {
    SCOPED_TRACE(merges);
    const TempDir folder;
    put_file(folder / "vocab.json", vocabulary_json(tokens));
    put_file(folder / "merges.txt", merges);
    if (expected.empty()) {
      EXPECT_EQ(make_tokenizer(folder.path(), "")->encode("he"), (Ids{257}));
    } else {
      EXPECT_ERROR(make_tokenizer(folder.path(), ""), expected);
    }
  }
}

TEST(MakeTokenizer, SaysWhatItLookedFor) {
  EXPECT_ERROR(make_tokenizer("bytes", ""), "tokenizer bytes: no such folder; give byte, char or a folder");
  const TempDir folder;
  EXPECT_ERROR(make_tokenizer(folder.path(), ""),
               folder.path() + ": holds neither vocab.bpe and encoder.json nor merges.txt and vocab.json");
  EXPECT_FALSE(has_tokenizer(folder.path()));
  put_file(folder / "vocab.bpe", "#version: 0.2\n");
  EXPECT_TRUE(has_tokenizer(folder.path()));
  EXPECT_ERROR(make_tokenizer(folder.path(), ""), folder / "encoder.json" + ": cannot open: No such file");
  put_file(folder / "encoder.json", vocabulary_json());
  put_file(folder / "vocab.bpe", "#version: 0.2\nh e\nhe\n");
  EXPECT_ERROR(make_tokenizer(folder.path(), ""), folder / "vocab.bpe" + ", line 3: \"he\" is not a merge");
}

}  // namespace
}  // namespace gpt2
