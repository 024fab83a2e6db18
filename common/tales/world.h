// What is true in a story: who has what, who is where, how somebody feels. A deed can be done when all that
// it needs holds; then it makes new facts. This is what keeps a tale consistent, and what tells an ending
// that is possible from one that is not.
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

  // roles[i] is the entity that stands for the deed's parameter i, an index into the cast.
  bool possible(const Deed& deed, const std::vector<int>& roles) const;

  // Fails unless it is possible, or if it speaks of a person or thing that is nowhere.
  void apply(const Deed& deed, const std::vector<int>& roles);

 private:
  bool holds(const Fact& fact, const std::vector<int>& roles) const;
  int location(int entity) const;
  int& value(int entity, Relation relation) { return values_[entity][static_cast<int>(relation)]; }
  int value(int entity, Relation relation) const { return values_[entity][static_cast<int>(relation)]; }

  std::array<std::array<int, kRelations>, kMaxCast> values_;  // entity, ~word, or kUnknown
};

}  // namespace gpt2::tale
