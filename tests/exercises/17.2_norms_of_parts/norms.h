#pragma once

#include <cstdint>
#include <span>
#include <vector>

struct Range {
  int64_t begin, end;  // values of the block

  int64_t size() const { return end - begin; }
};

// What a rank has of the gradients.
struct Own {
  int64_t rank;
  std::vector<Range> parts;  // whole chunks, in ascending order
  Range rest;  // the end of the block, from the border of a chunk on: every rank has it; may be empty
};

// What chunks and tensors have in common, in ascending order. The tensors cover the block, one after the other.
std::vector<Range> pieces_of(const std::vector<Range>& tensors, int64_t chunk);

// The sum of squares of each piece that this rank counts, 0 for each other.
std::vector<float> squares_of(std::span<const float> gradients, const std::vector<Range>& pieces,
                              const Own& own);

// The norm of each tensor; squares: of each piece, over all ranks.
std::vector<float> norms_of(const std::vector<float>& squares, const std::vector<Range>& pieces,
                            const std::vector<Range>& tensors);
