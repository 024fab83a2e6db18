#include "common/tales/endings.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "common/tales/world.h"

namespace gpt2 {

using namespace tale;

namespace {

// Calls visit(roles) for each way to give the deed's parameters different roles of the cast, of the right
// kinds.
template <class Visit>
void for_each_casting(const Deed& deed, const Cast& cast, std::vector<int>& roles, const Visit& visit) {
  if (roles.size() == deed.parameters.size()) return visit(roles);
  for (int role = 0; role < int(cast.size()); ++role) {
    const bool taken = std::find(roles.begin(), roles.end(), role) != roles.end();
    if (taken || cast[size_t(role)].kind != deed.parameters[roles.size()]) continue;
    roles.push_back(role);
    for_each_casting(deed, cast, roles, visit);
    roles.pop_back();
  }
}

// Whether every word was there: a hiding place, say, has none for the way to it.
bool is_complete(const std::string& text) {
  for (const char* gap : {"  ", " .", " ,", " !", " ?"}) {
    if (text.find(gap) != text.npos) return false;
  }
  return true;
}

size_t distance(size_t a, size_t b) { return a < b ? b - a : a - b; }

}  // namespace

// Three, or fewer if so few can be found.
std::vector<std::string> Endings::wrong_endings(const Tale& tale, const World& world, const Teller& teller,
                                                const std::string& right) {
  struct Wrong {
    const Deed* deed;
    std::string text;
  };
  std::vector<Wrong> all;
  for (const Deed& deed : grammar().deeds) {
    const size_t before = all.size();
    bool possible = false;
    std::vector<int> none;
    for_each_casting(deed, tale.cast, none, [&](const std::vector<int>& roles) {
      possible = possible || world.possible(deed, roles);
      std::string text = Teller(teller).tell(deed, roles);
      if (is_complete(text)) all.push_back({&deed, std::move(text)});
    });
    if (possible) all.erase(all.begin() + int64_t(before), all.end());
  }
  for (size_t i = all.size(); i > 1; --i) std::swap(all[i - 1], all[random_.below(uint32_t(i))]);
  std::stable_sort(all.begin(), all.end(), [&](const Wrong& a, const Wrong& b) {
    return distance(a.text.size(), right.size()) < distance(b.text.size(), right.size());
  });
  // How many of the three are shorter is drawn: of four endings the right one is the n-th longest for every n
  // alike.
  std::array<uint32_t, 2> wanted{random_.below(4), 0};  // shorter, longer
  wanted[1] = 3 - wanted[0];
  std::vector<const Deed*> told;
  std::vector<std::string> chosen;
  for (const Wrong& wrong : all) {
    uint32_t& left = wanted[wrong.text.size() < right.size() ? 0 : 1];
    const bool is_told = std::find(told.begin(), told.end(), wrong.deed) != told.end();
    if (left == 0 || is_told || wrong.text.size() == right.size()) continue;
    --left;
    chosen.push_back(wrong.text);
    told.push_back(wrong.deed);
  }
  return chosen;
}

std::optional<Ending> Endings::try_next() {
  const Tale tale = tales_.next_tale();
  // At least two events are known and the last is not asked for, which often sums up and needs little.
  const size_t asked = 2 + random_.below(uint32_t(tale.events.size() - 3));
  Ending ending{.plot = tale.plot->name, .context = {}, .endings = {}};
  World world;
  Teller teller(tale.cast, random_);
  for (size_t i = 0; i < asked; ++i) {
    const Event& event = tale.events[i];
    world.apply(*event.deed, event.roles);
    if (i > 0) ending.context += ' ';
    ending.context += teller.tell(*event.deed, event.roles);
  }
  const Event& next = tale.events[asked];
  const std::string right = Teller(teller).tell(*next.deed, next.roles);
  const std::vector<std::string> wrong = wrong_endings(tale, world, teller, right);
  if (wrong.size() < 3) return std::nullopt;
  ending.label = int(random_.below(4));
  for (int i = 0, w = 0; i < 4; ++i)
    ending.endings[size_t(i)] = i == ending.label ? right : wrong[size_t(w++)];
  return ending;
}

Ending Endings::next() {
  for (;;) {
    if (auto ending = try_next()) return *std::move(ending);
  }
}

// The tales are ASCII, and of what JSON escapes they have the quotation mark alone.
static std::string quoted(const std::string& text) {
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"') result += '\\';
    result += c;
  }
  return result + '"';
}

std::string to_json(const Ending& ending, uint64_t number) {
  const auto& [a, b, c, d] = ending.endings;
  return fmt::format(
      R"({{"ind": {}, "activity_label": "{}", "ctx": {}, "label": {}, "endings": [{}, {}, {}, {}]}})", number,
      ending.plot, quoted(ending.context), ending.label, quoted(a), quoted(b), quoted(c), quoted(d));
}

}  // namespace gpt2
