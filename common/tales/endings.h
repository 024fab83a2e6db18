// Stories to be ended, in the format of HellaSwag: the beginning of a tale, what happens next, and three
// things that cannot happen there, whoever does them, because the world of the story does not have what they
// need: nobody finds a ball that is not lost. All four are told by the same teller at the same point, and the
// wrong ones are nearly as long as the right one, as often longer as shorter: neither names nor pronouns nor
// length give the answer away. A model that knows the tales finds it; one that was never trained is right one
// time in four.
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
  std::string context;                 // events, with a space between
  std::array<std::string, 4> endings;  // one event each
  int label = 0;                       // of the right one
};

class Endings {
 public:
  // The tales are not those that Tales(seed) tells: a model trained on these has not read the others.
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

// One line of JSON, with the keys that readers of HellaSwag look at.
std::string to_json(const Ending& ending, uint64_t number);

}  // namespace gpt2
