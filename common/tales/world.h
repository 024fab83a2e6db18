// What is true in a story: who has what, where everyone is, and how they feel. A deed is possible when all
// its preconditions hold; doing it makes new facts. This keeps a tale consistent, and it distinguishes
// possible endings from impossible ones.
//
// since 01_module
#pragma once

#include <array>
#include <vector>

#include "common/tales/grammar.h"

namespace gpt2::tale {

class World {
 public:
  World();

  // Returns whether the deed is possible. roles[i] is the entity for the deed's parameter i, an index into
  // the cast.
  bool possible(const Deed& deed, const std::vector<int>& roles) const;

  // Applies the deed's facts. Throws if the deed is not possible, or if it mentions a person or thing that is
  // nowhere.
  void apply(const Deed& deed, const std::vector<int>& roles);

 private:
  bool holds(const Fact& fact, const std::vector<int>& roles) const;
  int location(int entity) const;
  int& value(int entity, Relation relation) { return values_[entity][static_cast<int>(relation)]; }
  int value(int entity, Relation relation) const { return values_[entity][static_cast<int>(relation)]; }

  std::array<std::array<int, kRelations>, kMaxCast> values_;  // entity, ~word, or kUnknown
};

}  // namespace gpt2::tale
