// Runs a kernel on the CPU: one block after another; each CUDA thread of the block is a fiber (fiber.h).
//
// Each warp runs as far as it can before the next one starts, so that a missing barrier changes the result.
// With EXECUTOR_SEED=n, n > 0, blocks, warps and lanes run in a random order, which changes after each
// barrier. Behaviour that CUDA leaves undefined (a barrier that some threads skip, a lane missing from its
// mask) aborts the program; the message names the kernel, block and thread.
//
// All state is global and unlocked: at most one OS thread may use the executor at a time.
//
// since 01_module
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "tests/executor/language.h"

namespace executor {

// A source line; here() returns the caller's. (clang 14 has no std::source_location.)
struct Place {
  const char* file;
  int line;
  static Place here(const char* file = __builtin_FILE(), int line = __builtin_LINE()) { return {file, line}; }
};

// Runs body(argument) once for every thread of the grid. `kernel` is the function's address, from which
// messages get its name.
void run(dim3 grid, dim3 block, size_t shared_bytes, const void* kernel, void (*body)(void* argument),
         void* argument);

// The following are called by a thread of the running block:

int lane();  // the thread's lane in its warp

// Waits for all threads of the block. Returns how many of them passed a true predicate.
int block_barrier(bool predicate, Place where);

enum class WarpOperation { sync, shuffle, ballot };

// Waits until all lanes in `mask` call it with the same operation and mask. Returns, for shuffle, the value
// of lane `source`; for ballot, a bit for each lane whose value is not 0.
uint64_t warp_operation(WarpOperation operation, uint32_t mask, uint64_t value, int source, Place where);

// Is told what a launch does, and where it stands: tracer.h. Null: nobody watches.
class Observer {
 public:
  virtual ~Observer() = default;
  virtual void block_begins() = 0;
  virtual void barrier_opens() = 0;                                   // all threads of the block have come
  virtual void lanes_synchronise(unsigned warp, uint32_t lanes) = 0;  // __syncwarp
  virtual void block_ends() = 0;
  virtual void launch_ends() = 0;
};
inline Observer* observer = nullptr;

unsigned
running_thread();  // of the running thread in its block, as warps count them; kNoThread outside kernels
inline constexpr unsigned kNoThread = ~0u;
uint3 thread_index(unsigned number);

// Aborts with a message that names the kernel, the block and the running thread.
[[noreturn]] void die_in_thread(const std::string& what);

}  // namespace executor
