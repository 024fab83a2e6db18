// The embedded corpus: an endless stream of short English stories, the same on every platform for the same
// seed.
//
// A story is made in three steps. First a plot and its cast are drawn (words.cpp, plots_*.cpp). Then the plot
// is played event by event in a World, which records who has what, where everyone is and how they feel. Last,
// every event is told in one or two sentences. The events are kept, so that a right or a wrong continuation
// can be chosen.
//
// The stream is ASCII: each story is one line of text followed by a blank line. A line break occurs nowhere
// else, so "\n\n" ends a story for a byte tokenizer as <|endoftext|> would, without a special token.
//
// since 01_module
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/tales/random.h"
#include "common/tales/teller.h"

namespace gpt2 {

struct Event {
  const tale::Deed* deed;
  std::vector<int> roles;  // the deed's parameters, as indices into the cast
  std::string text;
};

struct Tale {
  const tale::Plot* plot;
  tale::Cast cast;
  std::vector<Event> events;

  std::string text() const;  // the texts of the events, joined with spaces
};

class Tales {
 public:
  static constexpr std::string_view kSeparator = "\n\n";  // follows every story in the stream

  explicit Tales(uint64_t seed = 1337) : random_(seed) {}

  Tale next_tale();
  std::string next_story() { return next_tale().text(); }

 private:
  tale::Random random_;
};

// The first `bytes` bytes of the endless stream.
std::string tales(size_t bytes, uint64_t seed = 1337);

}  // namespace gpt2
