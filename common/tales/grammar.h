// The scripts and words, parsed once into a form that can be played and told quickly. A mistake in a script
// (an unknown deed, a role of the wrong kind, a slot that its kind does not have) throws an Error that quotes
// the script.
//
// since 01_module
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/tales/words.h"

namespace gpt2::tale {

constexpr int kMaxCast = 8;

enum class Relation : uint8_t { at, of, feels, is, wants, near };
constexpr int kRelations = 5;  // relations that a world stores; `near` is derived from `at`

// In "T at B", subject and object are parameters of the deed. In "A feels sad", the object is a word, stored
// as ~(its index in Grammar::values); so an object < 0 is a word.
struct Fact {
  int subject;
  Relation relation;
  int object;
};

enum class Form : uint8_t {
  subject,
  object,
  possessive,
  name,
  a,  // persons; a: things too
  the,
  bare,
  full,
  it,
  they,
  was,
  is,
  compound,  // things
  in,
  to,
  place,
  in_a,
  a_place,
  out,  // places
  first,
  second,
  third,
  fourth  // a column of the word
};

// Literal text, followed by a slot: a parameter (>= 0) in a form, or one of a filler's choices, or nothing.
struct Piece {
  std::string literal;
  int parameter = -1;
  Form form = Form::first;
  const Filler* filler = nullptr;
};

struct Deed {
  std::string_view name, head;
  std::vector<Kind> parameters;
  std::vector<Fact> needs, makes;
  std::vector<std::vector<Piece>> lines;
};

struct Role {
  std::string_view name;
  const Group* group;
  std::optional<std::string_view> adjective;  // fixed by the plot
};

struct Call {
  const Deed* deed;
  std::vector<int> roles;
};

struct Step {
  bool optional;
  std::vector<std::vector<Call>> ways;
};

struct Plot {
  std::string_view name;
  std::vector<Role> cast;
  std::vector<Step> steps;
};

struct Grammar {
  std::vector<std::string_view> values;
  std::vector<Deed> deeds;
  std::vector<Plot> plots;
};

const Grammar& grammar();

}  // namespace gpt2::tale
