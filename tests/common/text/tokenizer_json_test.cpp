#include "common/text/tokenizer_json.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include <tuple>

#include "paths.h"
#include "tests/common/files.h"

namespace gpt2 {
namespace {

using nlohmann::json;
using testing::file_bytes;
using testing::put_file;
using testing::TempDir;
using Ids = std::vector<int32_t>;

const std::string kGolden = GPT2_SOURCE_DIR "/tests/golden/";

std::string unhex(const std::string& hex) {
  std::string text;
  for (size_t i = 0; i < hex.size(); i += 2) text += char(std::stoi(hex.substr(i, 2), nullptr, 16));
  return text;
}

// What transformers 5 saved.
json saved() { return json::parse(file_bytes(kGolden + "saved_tokenizer/tokenizer.json")); }

std::unique_ptr<BpeTokenizer> parse(const json& file) {
  return parse_tokenizer_json(file.dump(), "tokenizer.json");
}

// The file with one value changed; null removes it.
json with(const std::string& pointer, const json& value) {
  json file = saved();
  file[json::json_pointer(pointer)] = value;
  return file;
}

void expect_goldens(const Tokenizer& tokenizer) {
  const json golden = json::parse(file_bytes(kGolden + "saved_tokenizer.json"));
  EXPECT_EQ(tokenizer.vocab_size(), golden.at("size").get<int64_t>());
  EXPECT_EQ(tokenizer.base_size(), 300);
  EXPECT_EQ(tokenizer.end_of_text(), 300);
  ASSERT_GE(golden.at("texts").size(), 8u);
  for (const json& entry : golden.at("texts")) {
    const std::string text = unhex(entry.at("text"));
    EXPECT_EQ(tokenizer.encode_documents(text), entry.at("ids").get<Ids>()) << text;
    EXPECT_EQ(tokenizer.decode(tokenizer.encode_documents(text)), text);
  }
}

TEST(TokenizerJson, GivesTheIdsOfTransformers) { expect_goldens(*parse(saved())); }

TEST(TokenizerJson, IsReadWhereTheTwoFilesAreNotBoth) {
  const TempDir folder;
  put_file(folder / "tokenizer.json", saved().dump());
  EXPECT_TRUE(has_tokenizer(folder.path()));
  expect_goldens(*make_tokenizer(folder.path(), ""));
  put_file(folder / "vocab.json", R"({"a": 0})");  // without merges.txt
  expect_goldens(*make_tokenizer(folder.path(), ""));
}

TEST(TokenizerJson, ReopensFromTheFilesOfACheckpoint) {
  const TempDir folder;
  for (const Tokenizer::File& file : parse(saved())->files()) put_file(folder / file.name, file.text);
  EXPECT_EQ(folder.names(), (std::vector<std::string>{"added_tokens.json", "merges.txt", "vocab.json"}));
  expect_goldens(*make_tokenizer(folder.path(), ""));
}

TEST(TokenizerJson, OlderSpellingsMeanTheSame) {
  json lines = saved();
  for (json& merge : lines["model"]["merges"])
    merge = merge[0].get<std::string>() + " " + merge[1].get<std::string>();
  expect_goldens(*parse(lines));
  json few = saved();
  for (const char* key : {"type", "dropout", "byte_fallback", "ignore_merges", "unk_token"})
    few["model"].erase(key);
  few["pre_tokenizer"].erase("use_regex");
  few.erase("post_processor");
  few.erase("normalizer");
  expect_goldens(*parse(few));
  const json step = saved()["pre_tokenizer"];
  expect_goldens(*parse(with("/pre_tokenizer", {{"type", "Sequence"}, {"pretokenizers", {step}}})));
  expect_goldens(*parse(with("/post_processor", {{"type", "ByteLevel"}, {"trim_offsets", false}})));
  json repeated = saved();
  repeated["model"]["merges"].insert(repeated["model"]["merges"].begin(), repeated["model"]["merges"].back());
  expect_goldens(*parse(repeated));
}

TEST(TokenizerJson, AnotherKindIsRefusedByTheSettingsName) {
  const json step = saved()["pre_tokenizer"], split = {{"type", "Split"}};
  for (const auto& [pointer, value, expected] : std::vector<std::tuple<std::string, json, std::string>>{
           {"/model/type", "WordPiece", "model.type is \"WordPiece\""},
           {"/model/type", "Unigram", "model.type is \"Unigram\""},
           {"/model/dropout", 0.1, "model.dropout is 0.1"},
           {"/model/end_of_word_suffix", "</w>", "model.end_of_word_suffix is \"</w>\""},
           {"/model/continuing_subword_prefix", "##", "model.continuing_subword_prefix"},
           {"/model/byte_fallback", true, "model.byte_fallback is true"},
           {"/model/ignore_merges", true, "model.ignore_merges is true"},
           {"/model/vocab", json::array(), "model.vocab is []"},
           {"/model/merges", "x", "model.merges is \"x\""},
           {"/model", nullptr, "model is null"},
           {"/normalizer", {{"type", "NFC"}}, "normalizer is {\"type\":\"NFC\"}"},
           {"/pre_tokenizer", nullptr, "pre_tokenizer is null"},
           {"/pre_tokenizer/type", "Whitespace", "pre_tokenizer.type is \"Whitespace\""},
           {"/pre_tokenizer/add_prefix_space", true, "pre_tokenizer.add_prefix_space is true"},
           {"/pre_tokenizer/use_regex", false, "pre_tokenizer.use_regex is false"},
           {"/pre_tokenizer",
            {{"type", "Sequence"}, {"pretokenizers", {split, step}}},
            "pre_tokenizer.type is"},
           {"/decoder", nullptr, "decoder is null"},
           {"/decoder/type", "WordPiece", "decoder.type is"},
           {"/post_processor/type", "BertProcessing", "post_processor.type is"},
           {"/post_processor/single",
            {{{"SpecialToken", {{"id", "<s>"}}}}, {{"Sequence", {{"id", "A"}}}}},
            "post_processor.single is"},
           {"/added_tokens/1/lstrip", true, "added_tokens[1].lstrip is true"},
           {"/added_tokens/1/single_word", true, "added_tokens[1].single_word is true"},
           {"/added_tokens/1/content", 7, "an added token is"},
           {"/added_tokens/1/id", -1, "an added token is"},
           {"/added_tokens", "x", "added_tokens is \"x\""}}) {
    EXPECT_ERROR(parse(with(pointer, value)), "tokenizer.json: " + expected);
    EXPECT_ERROR(parse(with(pointer, value)), "a tokenizer of GPT-2's kind (byte-level BPE)");
  }
}

TEST(TokenizerJson, TheFilesBesideItCount) {
  const TempDir folder;
  put_file(folder / "tokenizer.json", saved().dump());
  for (const auto& [content, expected] : std::vector<std::pair<std::string, std::string>>{
           {R"({"pad_token": "[PAD]", "tokenizer_class": "GPT2Tokenizer"})", ""},
           {R"({"pad_token": "[MASK]"})", "pad_token is \"[MASK]\", which"},
           {R"({"add_prefix_space": true})", "add_prefix_space is true"},
           {R"({"eos_token": "[PAD]"})", "eos_token is \"[PAD]\""}}) {
    put_file(folder / "tokenizer_config.json", content);
    if (expected.empty()) {
      expect_goldens(*make_tokenizer(folder.path(), ""));
    } else {
      EXPECT_ERROR(make_tokenizer(folder.path(), ""), expected);
    }
  }
}

TEST(TokenizerJson, IsNotTrusted) {
  EXPECT_ERROR(parse_tokenizer_json("", "tokenizer.json"), "tokenizer.json: not valid JSON");
  EXPECT_ERROR(parse_tokenizer_json("[]", "tokenizer.json"), "tokenizer.json: not a tokenizer");
  EXPECT_ERROR(parse(with("/model/merges/3", {"a"})),
               "tokenizer.json: model.merges[3]: [\"a\"] is not a merge");
  EXPECT_ERROR(parse(with("/model/merges/3", "abc")), "model.merges[3]: \"abc\" is not a merge");
  EXPECT_ERROR(parse(with("/model/merges/3", {"zz", "q"})), "model.merges[3]: token \"zz\" is not in");
  json cut = saved();
  cut["model"]["merges"].erase(cut["model"]["merges"].end() - 1);
  EXPECT_ERROR(parse(cut), "tokenizer.json: no merge makes the token ");
  EXPECT_ERROR(parse(with("/model/merges", json::array())), "tokenizer.json: no merge makes the token ");
  EXPECT_ERROR(parse(with("/model/vocab/a", 1)), "have the same id 1");
  EXPECT_ERROR(parse(with("/added_tokens/4/id", 400)), "token \"good day\" has the id 400; 305 tokens have");
  EXPECT_ERROR(parse(with("/added_tokens/4/id", 303)), "have the same id 303");
  EXPECT_ERROR(parse(with("/added_tokens/4/content", "a")), "token \"a\" has two ids, 64 and 304");
  EXPECT_ERROR(parse(with("/added_tokens/4/content", "")), "the added token with the id 304 has no text");
}

}  // namespace
}  // namespace gpt2
