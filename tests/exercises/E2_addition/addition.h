#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "tests/exercises/exercise.h"
#include "tests/exercises/training.h"

// A line is a sum of two numbers below 1000 as 12 ids: three digits, plus, three digits, equals, and the four
// digits of the answer, last digit first.
constexpr int64_t kLine = 12;
constexpr int64_t kQuestion = 8;  // the ids up to and including equals
constexpr int64_t kVocab = 12;

// The id of each of the ten digits and of the two signs.
struct Symbols {
  std::array<int32_t, 10> digit;
  int32_t plus, equals;
};

// The ids 0 to 11 in the order that a draw gives them.
inline Symbols drawn_symbols(exercise::Draw draw) {
  const std::vector<int64_t> order = draw.permutation(kVocab);
  Symbols symbols{};
  for (size_t i = 0; i < 10; ++i) symbols.digit[i] = int32_t(order[i]);
  symbols.plus = int32_t(order[10]), symbols.equals = int32_t(order[11]);
  return symbols;
}

// Yours: they follow from your id in the course.
inline Symbols own_symbols() { return drawn_symbols(exercise::draw_of_student("symbols of E2")); }

// One sum in sixteen is kept for the test; train.cpp never trains on it. The product mixes the digits: a rule
// about the last digits alone would keep a whole entry of the table of addition from the model.
inline bool is_kept_for_the_test(int64_t a, int64_t b) {
  return uint32_t(1000 * a + b) * 2654435761u >> 28 == 3;
}

// The 12 ids of a + b = c. To be written.
std::vector<int32_t> line_of(int64_t a, int64_t b, const Symbols& symbols);

// The mean cross entropy of the four digits of the answer. `lines` are B lines, one behind the other: 12 B
// ids. To be written.
gpt2::Tensor answer_loss(exercise::GPT& model, const std::vector<int32_t>& lines);
