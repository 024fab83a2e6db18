#include "common/tales/world.h"

#include "common/base/error.h"

namespace gpt2::tale {

constexpr int kUnknown = kMaxCast;

static int object_of(const Fact& fact, const std::vector<int>& roles) {
  return fact.object < 0 ? fact.object : roles[fact.object];
}

World::World() {
  for (auto& row : values_) row.fill(kUnknown);
}

// Follows a thing to its holder, a holder to the place: the ball under the bush in the park is in the park.
int World::location(int entity) const {
  while (value(entity, Relation::at) != kUnknown) entity = value(entity, Relation::at);
  return entity;
}

bool World::holds(const Fact& fact, const std::vector<int>& roles) const {
  const int subject = roles[fact.subject], object = object_of(fact, roles);
  if (fact.relation == Relation::near) return location(subject) == location(object);
  return value(subject, fact.relation) == object;
}

bool World::possible(const Deed& deed, const std::vector<int>& roles) const {
  for (const Fact& need : deed.needs) {
    if (!holds(need, roles)) return false;
  }
  return true;
}

void World::apply(const Deed& deed, const std::vector<int>& roles) {
  require(possible(deed, roles), "tales: \"{}\" is not possible here", deed.head);
  for (const Fact& fact : deed.makes) {
    const int subject = roles[fact.subject], object = object_of(fact, roles);
    if (fact.relation == Relation::near) {
      value(subject, Relation::at) = location(object);
    } else {
      value(subject, fact.relation) = object;
    }
  }
  for (size_t i = 0; i < roles.size(); ++i) {
    const bool has_place = deed.parameters[i] == Kind::person || deed.parameters[i] == Kind::thing;
    require(!has_place || value(roles[i], Relation::at) != kUnknown, "tales: \"{}\": parameter {} is nowhere",
            deed.head, i + 1);
  }
}

}  // namespace gpt2::tale
