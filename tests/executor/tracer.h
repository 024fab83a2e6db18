// Watches the memory accesses of kernels: counts them, and finds races and accesses out of bounds.
//
// A kernel file that is compiled with g++ -fsanitize=thread calls a function before each access to memory.
// tracer.cpp defines these functions in place of ThreadSanitizer's library. The build that does all this is
// ordinary otherwise, so one compilation and milliseconds per launch replace the sanitizers' builds, and a
// message has the form of the executor's: what, kernel, block, thread. For accesses to be those that the source
// says: -O1 -fno-tree-sra (sra splits 16-byte loads). With -fsanitize=bounds, an index beyond a static array is
// found too.
//
// It finds what ThreadSanitizer finds in a kernel (two threads of a block access the same byte, one of them
// writes, and no barrier lies between), and the same between two blocks of a launch. It finds accesses up to 64
// KiB before or behind a device allocation or a block's dynamic shared memory.
//
// since the exercises
#pragma once

#include <array>
#include <cstdint>

namespace executor {

struct Counts {
  int64_t launches = 0;
  std::array<int64_t, 5> loads{}, stores{};  // from and to global memory, of 1, 2, 4, 8 and 16 bytes
  int64_t load_bytes = 0, store_bytes = 0;
  int64_t requests = 0;      // load and store instructions of warps on global memory
  int64_t transactions = 0;  // the 32-byte sectors that these touch: 4 per request of 32 neighbouring floats
  int64_t shared_loads = 0, shared_stores = 0;
  int64_t bank_conflicts = 0;  // the passes beyond the first that warps need for accesses to shared memory
  int64_t barriers = 0;        // __syncthreads of blocks
  int64_t longest_thread = 0;  // the most accesses to global and shared memory by one thread of a launch

  int64_t all_loads() const { return loads[0] + loads[1] + loads[2] + loads[3] + loads[4]; }
  int64_t all_stores() const { return stores[0] + stores[1] + stores[2] + stores[3] + stores[4]; }
  // What stands for the time of a kernel: the passes that warps make over memory, and barriers.
  int64_t cost() const {
    return transactions + (shared_loads + shared_stores) / 32 + bank_conflicts + barriers;
  }
};

// Watches all launches from now on. Device memory must be allocated after this.
void trace();

// The counts of the launches since trace() or the last call.
Counts take_counts();

// The cost of all launches since trace(), counts that were taken included.
int64_t total_cost();

}  // namespace executor
