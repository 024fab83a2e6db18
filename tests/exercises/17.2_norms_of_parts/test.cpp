#include "norms.h"

#include <limits>

#include "tests/exercises/exercise.h"

namespace {

using exercise::Draw;
using Floats = std::vector<float>;

struct Block {
  int64_t chunk;
  std::vector<Range> tensors;
  Floats gradients;
};

Block random_block(Draw& draw, int64_t chunk, int64_t num_tensors, int64_t largest) {
  Block block{chunk, {}, {}};
  int64_t at = 0;
  for (int64_t i = 0; i < num_tensors; ++i) {
    const int64_t size = i % 3 == 2 ? draw.integer(1, 5) : draw.integer(largest / 2, largest);
    block.tensors.push_back({at, at + size});
    at += size;
  }
  block.gradients = draw.normal(at);
  return block;
}

// Rank after rank gets as many whole chunks; what is left, less than a chunk for each, is the rest. One rank has all as
// its part.
Own own_of(const Block& block, int64_t rank, int64_t ranks) {
  const auto n = int64_t(block.gradients.size());
  if (ranks == 1) return {0, {{0, n}}, {n, n}};
  const int64_t part = n / (block.chunk * ranks) * block.chunk;
  // Two parts for each rank, if they can be divided.
  const int64_t half = part / block.chunk / 2 * block.chunk;
  Own own{rank, {}, {part * ranks, n}};
  if (half > 0) own.parts.push_back({rank * half, (rank + 1) * half});
  const int64_t second = half * ranks, other = part - half;
  if (other > 0) own.parts.push_back({second + rank * other, second + (rank + 1) * other});
  return own;
}

// The gradients as a rank has them: NaN outside of its parts and the rest.
Floats seen_by(const Block& block, const Own& own) {
  Floats seen(block.gradients.size(), std::numeric_limits<float>::quiet_NaN());
  std::vector<Range> known = own.parts;
  known.push_back(own.rest);
  for (const Range& range : known) {
    for (int64_t i = range.begin; i < range.end; ++i) seen[size_t(i)] = block.gradients[size_t(i)];
  }
  return seen;
}

// The arrays of all ranks, then the norms.
std::pair<std::vector<Floats>, Floats> with_ranks(const Block& block, int64_t ranks) {
  const std::vector<Range> pieces = pieces_of(block.tensors, block.chunk);
  std::vector<Floats> arrays;
  for (int64_t rank = 0; rank < ranks; ++rank) {
    const Own own = own_of(block, rank, ranks);
    const Floats seen = seen_by(block, own);
    arrays.push_back(squares_of(seen, pieces, own));
  }
  Floats sum(pieces.size());
  for (const Floats& array : arrays) {
    for (size_t i = 0; i < sum.size() && i < array.size(); ++i) sum[i] += array[i];
  }
  return {arrays, norms_of(sum, pieces, block.tensors)};
}

std::vector<double> expected_norms(const Block& block) {
  std::vector<double> norms;
  for (const Range& tensor : block.tensors) {
    double sum = 0;
    for (int64_t i = tensor.begin; i < tensor.end; ++i)
      sum += double(block.gradients[size_t(i)]) * double(block.gradients[size_t(i)]);
    norms.push_back(std::sqrt(sum));
  }
  return norms;
}

void check_norms(const Block& block, const Floats& norms) {
  const std::vector<double> right = expected_norms(block);
  CHECK(norms.size() == right.size(), "{} norms for {} tensors", norms.size(), right.size());
  for (size_t i = 0; i < right.size(); ++i) {
    CHECK(!std::isnan(norms[i]),
          "the norm of tensor {} is NaN: a rank has read gradients that it does not have", i);
    const bool is_right = std::abs(double(norms[i]) - right[i]) <= 1e-4 * right[i];
    CHECK(is_right, "tensor {}, [{}, {}): its norm is {}, expected {}", i, block.tensors[i].begin,
          block.tensors[i].end, norms[i], right[i]);
  }
}

}  // namespace

CASE("pieces") {
  for (const int64_t chunk : {int64_t{4}, draw.integer(8, 20)}) {
    const Block block = random_block(draw, chunk, 6, 3 * chunk);
    WITH("{} tensors, chunks of {}", block.tensors.size(), chunk);
    const auto pieces = STUDENT(pieces_of(block.tensors, block.chunk));
    int64_t at = 0;
    for (size_t i = 0; i < pieces.size(); ++i) {
      const auto [begin, end] = std::pair(pieces[i].begin, pieces[i].end);
      CHECK(begin == at && end > begin, "piece {} is [{}, {}), but the one before ends at {}", i, begin, end,
            at);
      CHECK(begin / chunk == (end - 1) / chunk, "piece {}, [{}, {}), lies in two chunks", i, begin, end);
      for (const Range& tensor : block.tensors) {
        const bool crosses = begin < tensor.end && end > tensor.end;
        CHECK(!crosses, "piece {}, [{}, {}), lies in two tensors: one ends at {}", i, begin, end, tensor.end);
      }
      const bool cut =
          end % chunk == 0 || std::any_of(block.tensors.begin(), block.tensors.end(),
                                          [e = end](const Range& tensor) { return tensor.end == e; });
      CHECK(cut, "piece {} ends at {}, where neither a chunk nor a tensor ends", i, end);
      at = end;
    }
    CHECK(at == block.tensors.back().end, "the pieces end at {}, the block at {}", at,
          block.tensors.back().end);
  }
}

CASE("norms") {
  for (const int64_t chunk : {int64_t{4}, draw.integer(8, 20)}) {
    const Block block = random_block(draw, chunk, draw.integer(3, 7), 4 * chunk);
    WITH("one rank, {} tensors, chunks of {}", block.tensors.size(), chunk);
    const auto result = STUDENT(with_ranks(block, 1));
    check_norms(block, result.second);
  }
}

CASE("own part only") {
  for (const int64_t ranks : {2, 3}) {
    const int64_t chunk = draw.integer(4, 9);
    Block block = random_block(draw, chunk, 5, 8 * chunk);
    while (block.gradients.size() % size_t(chunk * ranks) != 0) {  // no rest
      block.gradients.push_back(1);
      ++block.tensors.back().end;
    }
    WITH("{} ranks, {} values, chunks of {}, no rest", ranks, block.gradients.size(), chunk);
    const auto result = STUDENT(with_ranks(block, ranks));
    check_norms(block, result.second);
  }
}

CASE("rest counts once") {
  for (const int64_t ranks : {2, 4}) {
    const int64_t chunk = draw.integer(4, 9);
    Block block = random_block(draw, chunk, 5, 8 * chunk);
    while (block.gradients.size() % size_t(chunk * ranks) != size_t(chunk + 2)) {
      block.gradients.push_back(1);
      ++block.tensors.back().end;
    }
    WITH("{} ranks, {} values, chunks of {}", ranks, block.gradients.size(), chunk);
    const auto result = STUDENT(with_ranks(block, ranks));
    const double of_last = expected_norms(block).back();
    CHECK(
        !(double(result.second.back()) > 1.001 * of_last),
        "the norm of the last tensor is {}, expected {}: every rank has the rest, but only rank 0 counts it",
        result.second.back(), of_last);
    check_norms(block, result.second);
  }
}

CASE("same bits") {
  const int64_t chunk = 16;
  const Block block = random_block(draw, chunk, 9, 40 * chunk);
  std::vector<Floats> norms;
  for (const int64_t ranks : {1, 2, 3, 4, 5}) {
    const auto result = STUDENT(with_ranks(block, ranks));
    norms.push_back(result.second);
  }
  for (size_t r = 0; r < norms.size(); ++r) {
    WITH("{} ranks, {} values, chunks of {}", r + 1, block.gradients.size(), chunk);
    check_norms(block, norms[r]);
    size_t differing = 0;
    for (size_t i = 0; i < norms[r].size(); ++i) differing += norms[r][i] != norms[0][i];
    CHECK(differing == 0,
          "{} of {} norms have other bits than with one rank: the sum of a piece must not depend on where "
          "the parts end",
          differing, norms[r].size());
  }
}
