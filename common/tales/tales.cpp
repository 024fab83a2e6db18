#include "common/tales/tales.h"

#include <algorithm>

namespace gpt2 {

using namespace tale;

static void draw_person(Entity& entity, const Cast& others, Random& random) {
  if (entity.word->at(1).empty()) {  // an elder
    entity.noun = entity.word->at(0);
    return;
  }
  // she and he are told apart by their pronoun, so every pronoun has one meaning
  const bool after_she = !others.empty() && others[0].pronoun == Pronoun::she;
  const bool she = others.empty() ? random.one_in(2) : !after_she;
  entity.pronoun = she ? Pronoun::she : Pronoun::he;
  entity.noun = entity.word->at(she ? 0 : 1);
  entity.name = random.pick(names(entity.pronoun));
}

static void draw_thing(Entity& entity, Random& random) {
  const auto& [one, many, compound, unused] = *entity.word;
  const bool plural = one.empty() || (!many.empty() && random.one_in(2));
  entity.pronoun = plural ? Pronoun::they : Pronoun::it;
  entity.noun = plural ? many : one;
}

static Entity draw(const Role& role, const Cast& others, Random& random) {
  const Group& group = *role.group;
  const auto taken = [&](const Entity& e) {
    return std::any_of(others.begin(), others.end(), [&](const Entity& other) {
      const bool same_adjective = !e.adjective.empty() && other.adjective == e.adjective;
      return other.kind == e.kind && (other.word == e.word || same_adjective);
    });
  };
  Entity entity{group.kind};
  do {
    entity.word = &random.pick(group.words);
    if (!group.adjectives.empty()) entity.adjective = random.pick(group.adjectives);
    if (role.adjective) entity.adjective = *role.adjective;
  } while (taken(entity));
  if (group.kind == Kind::person) draw_person(entity, others, random);
  if (group.kind == Kind::thing) draw_thing(entity, random);
  return entity;
}

Tale Tales::next_tale() {
  const Plot& plot = random_.pick(grammar().plots);
  Tale tale{&plot, {}, {}};
  for (const Role& role : plot.cast) tale.cast.push_back(draw(role, tale.cast, random_));
  World world;
  Teller teller(tale.cast, random_);
  for (const Step& step : plot.steps) {
    if (step.optional && random_.one_in(2)) continue;
    for (const Call& call : random_.pick(step.ways)) {
      world.apply(*call.deed, call.roles);
      tale.events.push_back({call.deed, call.roles, teller.tell(*call.deed, call.roles)});
    }
  }
  return tale;
}

std::string Tale::text() const {
  std::string text;
  for (const Event& event : events) {
    if (!text.empty()) text += ' ';
    text += event.text;
  }
  return text;
}

std::string tales(size_t bytes, uint64_t seed) {
  Tales stream(seed);
  std::string text;
  text.reserve(bytes + 4096);  // one story more
  while (text.size() < bytes) text.append(stream.next_story()).append(Tales::kSeparator);
  text.resize(bytes);
  return text;
}

}  // namespace gpt2
