// Runs a kernel on the CPU: block after block, each CUDA thread of the block a fiber (fiber.h).
//
// Each warp runs as far as it can before the next one starts, so that a forgotten barrier shows in the result.
// With EXECUTOR_SEED=n, n > 0, blocks, warps and lanes run in a random order, another one after each barrier.
// What CUDA leaves undefined (a barrier that some threads skip, a lane missing from its mask) aborts the
// program with the kernel, block and thread.
//
// All state is global and unlocked: at most one OS thread may use the executor at a time.
//
// since 01_module
#pragma once

#include <cstddef>
#include <cstdint>

#include "tests/executor/language.h"

namespace executor {

// A line of source, here() the caller's. (std::source_location is beyond clang 14.)
struct Place {
  const char* file;
  int line;
  static Place here(const char* file = __builtin_FILE(), int line = __builtin_LINE()) { return {file, line}; }
};

// Runs body(argument) once for every thread of the grid. `kernel` is the function's address, for its name.
void run(dim3 grid, dim3 block, size_t shared_bytes, const void* kernel, void (*body)(void* argument),
         void* argument);

// Called by a thread of the running block:

int lane();  // in its warp

// Waits for all threads of the block; how many of them came with a true predicate.
int block_barrier(bool predicate, Place where);

enum class WarpOperation { sync, shuffle, ballot };

// Waits for all lanes in `mask` to come with the same operation and mask. shuffle: the value of lane `source`;
// ballot: a bit for each lane whose value is not 0.
uint64_t warp_operation(WarpOperation operation, uint32_t mask, uint64_t value, int source, Place where);

}  // namespace executor
