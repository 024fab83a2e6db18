// The words of the tales, all in one place (words.cpp). The cast of a tale is drawn from them.
//
// A word is a row of up to four texts; what the columns mean depends on its kind:
//   person  kind of person: girl; for she, he and for both
//   thing   singular, plural, as part of a compound ("carrot" seeds); an empty singular is always plural
//   place   preposition, definite, indefinite, the way out
//   act     infinitive, past, -ing
//   riddle  question, answer
//   wish    what is wished, its consequence, why that is bad, the lesson
//
// since 01_module
#pragma once

#include <array>
#include <string_view>
#include <vector>

namespace gpt2::tale {

enum class Kind { person, thing, place, act, riddle, wish };
enum class Pronoun { she, he, it, they, none };

using Word = std::array<std::string_view, 4>;

// Words that can replace each other in a story. A word of the group is drawn together with one of the
// adjectives. An empty list of adjectives, or "" in the list, means no adjective.
struct Group {
  std::string_view name;
  Kind kind;
  std::vector<std::string_view> adjectives;
  std::vector<Word> words;
};

// Small words that vary freely: "{then}" in a line is replaced by one of the choices.
struct Filler {
  std::string_view name;
  std::vector<std::string_view> choices;
};

const std::vector<Group>& groups();
const std::vector<Filler>& fillers();
const std::vector<std::string_view>& names(Pronoun pronoun);  // she or he

}  // namespace gpt2::tale
