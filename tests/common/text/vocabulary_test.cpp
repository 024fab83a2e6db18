#include "common/text/vocabulary.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "common/text/bpe.h"
#include "tests/common/files.h"

namespace gpt2 {
namespace {

using Ids = std::vector<int32_t>;

// The byte vocabulary as a file would write it.
nlohmann::json byte_tokens() {
  nlohmann::json tokens;
  for (const auto& [spelling, id] : byte_vocabulary().ids) tokens[spelling] = id;
  return tokens;
}

nlohmann::json with(const char* spelling, const nlohmann::json& id) {
  nlohmann::json tokens = byte_tokens();
  tokens[spelling] = id;
  return tokens;
}

void parse(const nlohmann::json& tokens) { parse_vocabulary(tokens.dump(), "vocab.json"); }
void merges(const std::string& text) { parse_merges(text, "merges.txt", byte_vocabulary()); }

TEST(Vocabulary, BytesComeInGpt2sOrder) {
  const Vocabulary vocabulary = byte_vocabulary();
  ASSERT_EQ(vocabulary.bytes.size(), 257u);
  std::string first;  // 94 printable ASCII characters, then Latin-1's, then the rest in order
  for (int id = 0; id < 256; ++id) first += vocabulary.bytes[id];
  EXPECT_EQ(first.substr(0, 3) + first.substr(92, 4), "!\"#}~\xA1\xA2");
  EXPECT_EQ(first.substr(104, 4), "\xAB\xAC\xAE\xAF");
  EXPECT_EQ(first.substr(187, 3), std::string("\xFF\0\1", 3));
  EXPECT_EQ(first.substr(219, 5), "\x1F \x7F\x80\x81");
  EXPECT_EQ(first.substr(253, 3), "\x9F\xA0\xAD");
  EXPECT_EQ(vocabulary.bytes[256], "<|endoftext|>");
  EXPECT_EQ(vocabulary.ids.at("\xC4\xA0"), 220);  // U+0120 spells the space
  EXPECT_EQ(vocabulary.byte_ids[' '], 220);
}

TEST(Vocabulary, ATokenIsTheBytesThatItsSpellingStandsFor) {
  const Vocabulary vocabulary = parse_vocabulary(with("\xC4\xA0the\xC4\x8A", 257).dump(), "vocab.json");
  EXPECT_EQ(vocabulary.bytes.at(257), " the\n");
}

TEST(Vocabulary, WhatIsNotJsonIsRefusedWithItsPlace) {
  EXPECT_ERROR(parse_vocabulary("{\"a\": 0,\n \"b\" 1}", "dir/vocab.json"),
               "dir/vocab.json: not valid JSON (line 2");
  EXPECT_ERROR(parse_vocabulary("", "vocab.json"), "vocab.json: not valid JSON");
  EXPECT_ERROR(parse_vocabulary("{\"\xFF\": 0}", "vocab.json"), "vocab.json: not valid JSON");
  EXPECT_ERROR(parse_vocabulary("{\"a\": 0, \"a\": 1}", "vocab.json"), "the key \"a\" twice");
  EXPECT_ERROR(parse(nlohmann::json::array({"a", "b"})), "vocab.json: not a vocabulary");
}

TEST(Vocabulary, IdsAreTheNumbersFromZeroWithoutGaps) {
  EXPECT_ERROR(parse(with("ab", "257")), "token \"ab\" has the id \"257\", which is not an integer");
  EXPECT_ERROR(parse(with("ab", 257.5)), "token \"ab\" has the id 257.5, which is not an integer");
  EXPECT_ERROR(parse(with("ab", nullptr)), "token \"ab\" has the id null, which is not an integer");
  EXPECT_ERROR(parse(with("ab", 258)), "token \"ab\" has the id 258; 258 tokens have the ids 0 to 257");
  EXPECT_ERROR(parse(with("ab", -1)), "token \"ab\" has the id -1; 258 tokens have the ids 0 to 257");
  EXPECT_ERROR(parse(with("ab", 1ull << 32)), "token \"ab\" has the id 4294967296");
  EXPECT_ERROR(parse(with("ab", 5)), "tokens \"&\" and \"ab\" have the same id 5");
}

TEST(Vocabulary, EveryByteHasAToken) {
  nlohmann::json tokens = byte_tokens();
  tokens.erase("A");
  tokens["<|endoftext|>"] = 32;  // the id that "A" leaves free
  EXPECT_ERROR(parse(tokens), "vocab.json: byte 0x41 has no token");
  EXPECT_ERROR(parse(nlohmann::json::object()), "vocab.json: byte 0x21 has no token");
}

TEST(Vocabulary, ACharacterThatStandsForNoByteIsRefused) {
  EXPECT_ERROR(parse(with("a b", 257)), R"(token "a b" has the character " ", which stands for no byte)");
  EXPECT_ERROR(parse(with("a\n", 257)), R"(token "a\n" has the character "\n", which stands for no byte)");
  EXPECT_ERROR(parse(with("\xE2\x82\xAC", 257)), R"(token "\u20ac" has the character "\u20ac")");
}

TEST(Merges, ABrokenLineIsNamed) {
  EXPECT_ERROR(merges("#version: 0.2\n! \"\n"), R"(merges.txt, line 2: token "!\"" is not in byte)");
  EXPECT_ERROR(merges("#version: 0.2\nab\n"), R"(merges.txt, line 2: "ab" is not a merge)");
  EXPECT_ERROR(merges("a b c\n"), R"(merges.txt, line 1: "a b c" is not a merge)");
  EXPECT_ERROR(merges("a  b\n"), "merges.txt, line 1");
  EXPECT_ERROR(merges(" b\n"), "merges.txt, line 1");
  EXPECT_ERROR(merges("a \n"), "merges.txt, line 1");
  EXPECT_ERROR(merges("#version: 0.2\n\n"), R"(merges.txt, line 2: "" is not a merge)");
  EXPECT_ERROR(merges("a\x1B\xFF\n"), R"(line 1: "a\u001b\ufffd" is not a merge)");
}

TEST(Merges, PartsAndResultAreInTheVocabulary) {
  EXPECT_ERROR(merges("#version: 0.2\na b\n"),
               R"(merges.txt, line 2: token "ab" is not in byte; use the two files)");
  EXPECT_ERROR(merges("xx b\n"), R"(merges.txt, line 1: token "xx" is not in byte)");
  EXPECT_ERROR(merges("b xx\n"), R"(merges.txt, line 1: token "xx" is not in byte)");
}

// As in transformers: the last line of a pair gives its rank.
TEST(Merges, OfARepeatedMergeTheLastRankCounts) {
  nlohmann::json tokens = with("ab", 257);
  tokens["bc"] = 258;
  const Vocabulary vocabulary = parse_vocabulary(tokens.dump(), "vocab.json");
  for (const auto& [text, first_result] : {std::pair{"a b\nb c\n", 257},
                                           {"a b\na b\nb c\n", 257},
                                           {"a b\nb c\na b\n", 258},
                                           {"b c\na b\nb c\nb c\n", 257}}) {
    const std::vector<Merge> parsed = parse_merges(text, "merges.txt", vocabulary);
    ASSERT_EQ(parsed.size(), 2u) << text;
    EXPECT_EQ(parsed[0].result, first_result) << text;
    const Ids expected = first_result == 257 ? Ids{257, 66} : Ids{64, 258};
    EXPECT_EQ(BpeTokenizer(vocabulary, parsed).encode("abc"), expected) << text;
  }
}

TEST(Merges, AFileFromWindowsIsTheSame) {
  const Vocabulary vocabulary =
      parse_vocabulary("\xEF\xBB\xBF" + with("ab", 257).dump(1) + "\r\n", "vocab.json");
  for (const char* text : {"#version: 0.2\r\na b\r\n", "\xEF\xBB\xBF#version: 0.2\na b\n",
                           "\xEF\xBB\xBF"
                           "a b\r\n",
                           "a b\r"}) {
    const std::vector<Merge> parsed = parse_merges(text, "merges.txt", vocabulary);
    ASSERT_EQ(parsed.size(), 1u) << text;
    EXPECT_EQ(parsed[0].result, 257) << text;
  }
  EXPECT_ERROR(merges(std::string("\xFF\xFE"
                                  "a\0",
                                  4)),
               "merges.txt: text in UTF-16");
}

std::vector<AddedToken> added(const char* json) { return parse_added_tokens(json, "added_tokens.json"); }

TEST(AddedTokens, StandForTheirTextAsItIs) {
  const Vocabulary vocabulary =
      parse_vocabulary(byte_tokens().dump(), "vocab.json", added(R"({"[PAD]": 258, "a b é": 257})"));
  ASSERT_EQ(vocabulary.bytes.size(), 259u);
  EXPECT_EQ(vocabulary.ids.size(), 257u);
  EXPECT_EQ(vocabulary.bytes[257], "a b é");
  EXPECT_EQ(vocabulary.bytes[258], "[PAD]");
  ASSERT_EQ(vocabulary.added.size(), 3u);
  EXPECT_EQ(vocabulary.added[0].text, "<|endoftext|>");
}

TEST(AddedTokens, MayBeInTheVocabularyToo) {
  const Vocabulary vocabulary =
      parse_vocabulary(with("a b", 257).dump(), "vocab.json", added(R"({"a b": 257, "<|endoftext|>": 256})"));
  EXPECT_EQ(vocabulary.bytes.size(), 258u);
  EXPECT_EQ(vocabulary.bytes[257], "a b");
  EXPECT_EQ(vocabulary.added.size(), 2u);
}

TEST(AddedTokens, AreNotTrusted) {
  EXPECT_ERROR(added("[]"), "added_tokens.json: not added tokens");
  EXPECT_ERROR(added("{"), "added_tokens.json: not valid JSON");
  EXPECT_ERROR(added(R"({"a": "1"})"),
               "added_tokens.json: token \"a\" has the id \"1\", which is not an integer");
  EXPECT_ERROR(added(R"({"a": -1})"), "token \"a\" has the id -1");
  const auto parse_with = [](const char* json) {
    parse_vocabulary(byte_tokens().dump(), "vocab.json", added(json));
  };
  EXPECT_ERROR(parse_with(R"({"xx": 258})"), "token \"xx\" has the id 258; 258 tokens have the ids 0 to 257");
  EXPECT_ERROR(parse_with(R"({"xx": 256})"), "have the same id 256");
  EXPECT_ERROR(parse_with(R"({"xx": 257, "yy": 257})"), "have the same id 257");
  EXPECT_ERROR(parse_with(R"({"a": 257})"), "token \"a\" has two ids, 64 and 257");
  EXPECT_ERROR(parse_with(R"({"": 257})"), "the added token with the id 257 has no text");
}

TEST(Merges, TheHeaderAndTheLastNewlineMayBeMissing) {
  const Vocabulary vocabulary = parse_vocabulary(with("ab", 257).dump(), "vocab.json");
  for (const char* text : {"#version: 0.2\na b\n", "a b\n", "a b"}) {
    const std::vector<Merge> parsed = parse_merges(text, "merges.txt", vocabulary);
    ASSERT_EQ(parsed.size(), 1u);
    EXPECT_EQ(parsed[0].result, 257);
  }
  EXPECT_TRUE(parse_merges("", "merges.txt", vocabulary).empty());
  EXPECT_TRUE(parse_merges("#version: 0.2\n", "merges.txt", vocabulary).empty());
}

}  // namespace
}  // namespace gpt2
