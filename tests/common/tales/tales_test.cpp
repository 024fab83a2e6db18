#include "common/tales/tales.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <iterator>
#include <map>
#include <regex>
#include <set>
#include <sstream>

#include "common/base/error.h"

namespace gpt2 {
namespace {

using tale::Kind;
using tale::Pronoun;

std::vector<Tale> some_tales(int n) {
  Tales stream;
  std::vector<Tale> all;
  for (int i = 0; i < n; ++i) all.push_back(stream.next_tale());
  return all;
}

std::vector<std::string> words_of(std::string text) {
  for (char& c : text) c = std::isalpha(static_cast<unsigned char>(c)) ? std::tolower(c) : ' ';
  std::istringstream stream(text);
  return {std::istream_iterator<std::string>(stream), {}};
}

uint64_t fnv1a(const std::string& text) {
  uint64_t hash = 0xcbf29ce484222325u;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  return hash;
}

// A change of words or plots is welcome; it only must not happen unnoticed: every curve on tales changes too.
TEST(Tales, TheStreamIsTheOneThatTheChaptersShow) {
  EXPECT_EQ(
      Tales().next_story(),
      R"(There once was a young cat named Lily who lived in a small town. Every day, she watched the )"
      R"(birds. She always wanted more than she had. One day, Lily went for a walk in the park. In the )"
      R"(grass she found an old stone and took it in her hand. "I am magic," said the old stone. "You )"
      R"(may make two wishes." Lily did not think long and wished to be as small as an ant. It came )"
      R"(true, and she became as small as an ant. But then she had to hide from every bird. "This is not)"
      R"( what I wanted," Lily said. "Please make it as it was before!" she said to the stone. At once, )"
      R"(everything was as before. "Now I know that it is good to be just the right size," said Lily. )"
      R"(She left the stone in the park and went home.)");
  EXPECT_EQ(fnv1a(tales(1 << 20)), 0xdf365815ad030e56u);
}

TEST(Tales, FewerBytesAreAPrefixOfMore) {
  const std::string all = tales(100'000);
  for (const size_t n : {0, 1, 999, 1000, 65'536, 99'999}) {
    EXPECT_EQ(tales(n).size(), n);
    EXPECT_EQ(tales(n), all.substr(0, n));
  }
}

TEST(Tales, TheStreamIsStoriesEachFollowedByABlankLine) {
  std::string stories;
  for (const Tale& tale : some_tales(50)) stories.append(tale.text()).append("\n\n");
  EXPECT_EQ(tales(stories.size()), stories);
}

TEST(Tales, AnotherSeedTellsOtherStories) {
  EXPECT_NE(tales(1000, 1), tales(1000, 2));
  EXPECT_EQ(tales(1000, 2), tales(1000, 2));
}

TEST(Tales, TheTextIsAsciiWithoutLineBreaksOrDoubleSpaces) {
  for (const Tale& tale : some_tales(1000)) {
    const std::string text = tale.text();
    EXPECT_TRUE(std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~'; })) << text;
    EXPECT_EQ(text.find("  "), std::string::npos) << text;
    EXPECT_EQ(text.find_first_of("{}"), std::string::npos) << text;
  }
}

TEST(Tales, AStoryHasFortyToTwoHundredFiftyWords) {
  for (const Tale& tale : some_tales(1000)) {
    const size_t n = words_of(tale.text()).size();
    EXPECT_GE(n, 40u) << tale.text();
    EXPECT_LE(n, 250u) << tale.text();
  }
}

TEST(Tales, SentencesBeginWithACapitalAndEndWithAFullStop) {
  const std::regex sentences(R"re(["A-Z].*[.!?]"?)re");
  const std::regex goes_on_small(R"re([^"][.!?] [a-z]|\." [a-z]|^"[a-z]|[ ,] "[a-z])re");
  const std::regex wrong_mark(R"re( [.,!?]|[.,!?][.,!?]|[,.!?][A-Za-z]|,"? [A-Z][a-z]+ [A-Z])re");
  for (const Tale& tale : some_tales(1000)) {
    for (const Event& event : tale.events) {
      EXPECT_TRUE(std::regex_match(event.text, sentences)) << event.text;
      EXPECT_FALSE(std::regex_search(event.text, goes_on_small)) << event.text;
      EXPECT_FALSE(std::regex_search(event.text, wrong_mark)) << event.text;
      EXPECT_EQ(std::count(event.text.begin(), event.text.end(), '"') % 2, 0) << event.text;
    }
  }
}

TEST(Tales, AnStandsBeforeVowelsAndABeforeTheRest) {
  const std::regex article(R"re(\b([Aa]n?) ([a-z]))re");
  std::map<std::string, int> seen;
  for (const Tale& tale : some_tales(1000)) {
    const std::string text = tale.text();
    for (std::sregex_iterator i(text.begin(), text.end(), article), end; i != end; ++i) {
      const bool vowel = std::string("aeiou").find(i->str(2)) != std::string::npos;
      EXPECT_EQ(i->str(1).size(), vowel ? 2u : 1u) << i->str() << " in: " << text;
      ++seen[i->str(1)];
    }
  }
  EXPECT_EQ(seen.size(), 4u);  // a, an, A, An
}

TEST(Tales, SheAndHeAreSaidOnlyOfSomeoneInTheStory) {
  int without_he = 0;
  for (const Tale& tale : some_tales(1000)) {
    const std::vector<std::string> words = words_of(tale.text());
    for (const auto& [pronoun, word] : {std::pair(Pronoun::she, "she"), std::pair(Pronoun::he, "he")}) {
      const auto fits = [p = pronoun](const tale::Entity& e) { return e.pronoun == p; };
      const auto count = std::count_if(tale.cast.begin(), tale.cast.end(), fits);
      EXPECT_LE(count, 1) << "a pronoun with two meanings: " << tale.text();
      if (count > 0) continue;
      EXPECT_EQ(std::count(words.begin(), words.end(), word), 0) << tale.text();
      ++without_he;
    }
  }
  EXPECT_GT(without_he, 0);
}

TEST(Tales, EveryEventIsPossibleWhereItStandsAndReversedGiftsAreNot) {
  int gifts = 0;
  for (const Tale& tale : some_tales(1000)) {
    tale::World world;
    for (const Event& event : tale.events) {
      ASSERT_TRUE(world.possible(*event.deed, event.roles)) << event.text;
      if (event.deed->head == "give B T A") {
        const std::vector<int> reversed(event.roles.rbegin(), event.roles.rend());
        EXPECT_FALSE(world.possible(*event.deed, reversed)) << event.text;
        EXPECT_THROW(world.apply(*event.deed, reversed), Error);
        ++gifts;
      }
      world.apply(*event.deed, event.roles);
    }
  }
  EXPECT_GT(gifts, 50);
}

TEST(Tales, EveryPlotAndEveryDeedIsTold) {
  std::set<std::string_view> plots, deeds;
  for (const Tale& tale : some_tales(1000)) {
    plots.insert(tale.plot->name);
    for (const Event& event : tale.events) deeds.insert(event.deed->name);
  }
  EXPECT_EQ(plots.size(), tale::grammar().plots.size());
  EXPECT_EQ(deeds.size(), tale::grammar().deeds.size());
  EXPECT_GE(plots.size(), 8u);
}

TEST(Tales, TheVocabularyIsAFewHundredWords) {
  std::set<std::string> vocabulary;
  for (const std::string& word : words_of(tales(4 << 20))) vocabulary.insert(word);
  EXPECT_GE(vocabulary.size(), 200u);
  EXPECT_LE(vocabulary.size(), 800u);
}

TEST(Tales, AThousandStoriesAreAllDifferent) {
  std::set<std::string> stories;
  for (const Tale& tale : some_tales(1000)) stories.insert(tale.text());
  EXPECT_EQ(stories.size(), 1000u);
}

}  // namespace
}  // namespace gpt2
