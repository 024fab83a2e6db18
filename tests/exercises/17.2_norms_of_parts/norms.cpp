// Exercise 17.2: the norm of each tensor's gradient, of which each rank has parts.
#include "norms.h"

#include <algorithm>
#include <cmath>

#include "tests/exercises/todo.h"

std::vector<Range> pieces_of(const std::vector<Range>& tensors, int64_t chunk) {
  //@solution 17.2 pieces
  std::vector<Range> pieces;
  for (const Range& tensor : tensors) {
    for (int64_t at = tensor.begin; at < tensor.end; at = pieces.back().end)
      pieces.push_back({at, std::min((at / chunk + 1) * chunk, tensor.end)});
  }
  return pieces;
  //@stub
  //| // TODO(17.2): a piece ends where its chunk ends or where its tensor ends.
  //| return COURSE_TODO("17.2");
  //@end
}

std::vector<float> squares_of(std::span<const float> gradients, const std::vector<Range>& pieces,
                              const Own& own) {
  //@solution 17.2 squares
  const auto counts = [&](int64_t at) {
    if (at >= own.rest.begin) return own.rank == 0;
    return std::any_of(own.parts.begin(), own.parts.end(),
                       [&](const Range& part) { return at >= part.begin && at < part.end; });
  };
  std::vector<float> squares(pieces.size());
  for (size_t i = 0; i < pieces.size(); ++i) {
    if (!counts(pieces[i].begin)) continue;
    for (const float g : gradients.subspan(size_t(pieces[i].begin), size_t(pieces[i].size())))
      squares[i] += g * g;
  }
  return squares;
  //@stub
  //| // TODO(17.2): a place for each piece; 0 unless this rank counts it.
  //| return COURSE_TODO("17.2");
  //@end
}

std::vector<float> norms_of(const std::vector<float>& squares, const std::vector<Range>& pieces,
                            const std::vector<Range>& tensors) {
  //@solution 17.2 norms
  std::vector<float> norms;
  size_t next = 0;
  for (const Range& tensor : tensors) {
    float sum = 0;
    while (next < pieces.size() && pieces[next].begin < tensor.end) sum += squares[next++];
    norms.push_back(std::sqrt(sum));
  }
  return norms;
  //@stub
  //| // TODO(17.2): the pieces of each tensor, in their order; the root at the end.
  //| return COURSE_TODO("17.2");
  //@end
}
