// Puts events into words: chooses a paraphrase, "she" where that can only mean Mia and "Mia" elsewhere, a or
// an, was or were, and a capital letter at the start of a sentence.
//
// since 01_module
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "common/tales/grammar.h"
#include "common/tales/random.h"
#include "common/tales/world.h"

namespace gpt2::tale {

// A word of the story, with the name and adjective that were drawn for it.
struct Entity {
  Kind kind;
  Pronoun pronoun = Pronoun::none;
  std::string_view name = {};       // of a child
  std::string_view adjective = {};  // may be empty
  std::string_view noun = {};       // of persons and things, in the right number
  const Word* word = nullptr;
};

using Cast = std::vector<Entity>;  // one for each role of the plot

class Teller {
 public:
  Teller(const Cast& cast, Random& random) : cast_(cast), random_(random) {}

  // Tells the next event of the story.
  std::string tell(const Deed& deed, const std::vector<int>& roles);

 private:
  void say(std::string& text, Form form, int entity);
  void say_person(std::string& text, Form form, int entity);
  void say_thing(std::string& text, Form form, int entity);
  void say_definite(std::string& text, const Entity& entity);
  void say_place(std::string& text, Form form, const Word& word);
  bool use_pronoun(int entity);
  void mention(int entity, bool by_pronoun);

  static constexpr int kNever = -100;
  struct Mention {
    int line = kNever;   // the last line that mentions the entity
    int named = kNever;  // the last line that uses its name
  };

  const Cast& cast_;
  Random& random_;
  int line_ = 0;
  std::array<Mention, kMaxCast> mentions_;
  // For each pronoun, the last mentioned entity that it fits.
  std::array<int, 5> meant_{kNever, kNever, kNever, kNever, kNever};
};

}  // namespace gpt2::tale
