// Multiple-choice story endings in the format of HellaSwag. An item is the beginning of a tale, the event
// that happens next, and three events that cannot happen there for any character, because their preconditions
// are false in the world of the story: a ball that is not lost cannot be found. The same teller tells all
// four endings at the same point. The wrong endings are nearly as long as the right one, and are longer as
// often as shorter. So names, pronouns and length do not reveal the answer. A model that was trained on the
// tales finds it; an untrained model is right one time in four.
//
// since 13_fineweb
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/tales/tales.h"

namespace gpt2 {

struct Ending {
  std::string_view plot;
  std::string context;                 // events, joined with spaces
  std::array<std::string, 4> endings;  // one event each
  int label = 0;                       // index of the right ending
};

class Endings {
 public:
  // These tales differ from the tales of Tales(seed): a model that was trained on Tales(seed) has not seen
  // them.
  explicit Endings(uint64_t seed = 1337) : random_(seed ^ kOther), tales_(~seed ^ kOther) {}

  Ending next();

 private:
  static constexpr uint64_t kOther = 0x68656c6c61737767;
  std::optional<Ending> try_next();
  std::vector<std::string> wrong_endings(const Tale& tale, const tale::World& world,
                                         const tale::Teller& teller, const std::string& right);

  tale::Random random_;
  Tales tales_;
};

// Returns one line of JSON with the keys that readers of HellaSwag files use.
std::string to_json(const Ending& ending, uint64_t number);

}  // namespace gpt2
