#include "tests/executor/scheduler.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <numeric>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "tests/executor/fiber.h"
#include "tests/executor/sanitizers.h"
#include "tests/executor/symbols.h"

#ifdef EXECUTOR_GATHERS_SHARED  // then a program linked without shared_memory.ld lacks these names
extern "C" char executor_shared_begin[], executor_shared_end[];
#else
char* const executor_shared_begin = nullptr;
char* const executor_shared_end = nullptr;
#endif

namespace executor {
namespace {

constexpr unsigned kWarp = 32, kMaxThreads = 1024;

enum class State { runnable, at_barrier, at_warp_operation, returned };

struct Thread {
  Fiber fiber;
  uint3 index;
  State state;
  Place where;              // of the barrier or warp operation that it waits at
  WarpOperation operation;  // what it came with
  uint32_t mask;
  uint64_t value;
  int source;
  uint64_t result;  // what it leaves with
  Tag came, may_leave;
};

struct Warp {
  uint32_t waiting;   // lanes at a warp operation
  uint32_t returned;  // lanes that are gone
};

// The launch that is running. Plain arrays: fibers use them, and no other code may run there under the eyes
// of ThreadSanitizer, which takes the fibers for concurrent threads.
Thread threads[kMaxThreads];
Warp warps[kMaxThreads / kWarp];
unsigned thread_count;
Thread* current;  // the thread that runs
const void* current_kernel;
void (*current_body)(void* argument);
void* current_argument;
unsigned returned_count;

int votes, votes_result;  // of the block barrier
Tag came_to_barrier, may_leave_barrier;

std::mt19937_64 random_bits;
bool random_order;

unsigned number(const Thread* thread) { return unsigned(thread - threads); }

std::string place(const Place& where) { return fmt::format("{}:{}", where.file, where.line); }

std::string describe(const Thread& thread) {
  const auto [x, y, z] = thread.index;
  switch (thread.state) {
    case State::runnable:
      return fmt::format("thread ({},{},{}) runs", x, y, z);
    case State::at_barrier:
      return fmt::format("thread ({},{},{}) waits at the barrier of {}", x, y, z, place(thread.where));
    case State::at_warp_operation:
      return fmt::format("thread ({},{},{}) waits at {} for lanes {:#010x} of its warp", x, y, z,
                         place(thread.where), thread.mask);
    case State::returned:
      return fmt::format("thread ({},{},{}) has returned", x, y, z);
  }
  return "";
}

[[noreturn]] void die(const std::string& what, const Thread& thread) {
  const auto [x, y, z] = thread.index;
  const std::string message =
      fmt::format("executor: {}\n  in {}, block ({},{},{}), thread ({},{},{})\n", what,
                  function_name(current_kernel), blockIdx.x, blockIdx.y, blockIdx.z, x, y, z);
  std::fputs(message.c_str(), stderr);
  std::abort();
}

void thread_main() {
  current_body(current_argument);
  current->state = State::returned;
  const unsigned self = number(current);
  warps[self / kWarp].returned |= 1u << self % kWarp;
  ++returned_count;
}

// Warps in one random order, the lanes of each warp in another.
void shuffle(std::vector<unsigned>& order) {
  if (!random_order) return;
  std::vector<unsigned> warp_order((thread_count + kWarp - 1) / kWarp);
  std::iota(warp_order.begin(), warp_order.end(), 0u);
  std::shuffle(warp_order.begin(), warp_order.end(), random_bits);
  order.clear();
  for (const unsigned warp : warp_order) {
    const size_t start = order.size();
    for (unsigned i = warp * kWarp; i < std::min(thread_count, (warp + 1) * kWarp); ++i) order.push_back(i);
    std::shuffle(order.begin() + long(start), order.end(), random_bits);
  }
}

// Lets each thread run as far as it can, a warp at a time. False: there was none that could.
bool run_warps(const std::vector<unsigned>& order) {
  bool progress = false;
  for (size_t start = 0, end; start < order.size(); start = end) {
    end = start;
    while (end < order.size() && order[end] / kWarp == order[start] / kWarp) ++end;
    for (bool again = true; again;) {
      again = false;
      for (size_t i = start; i < end; ++i) {
        Thread& thread = threads[order[i]];
        if (thread.state != State::runnable) continue;
        current = &thread;
        threadIdx = thread.index;
        thread.fiber.resume();
        progress = again = true;
      }
    }
  }
  return progress;
}

bool same_place(const Place& a, const Place& b) {
  return a.line == b.line && std::strcmp(a.file, b.file) == 0;
}

// No thread can go on. A lane that waits for its warp waits in vain: who does not come?
void check_warp_operations() {
  for (unsigned i = 0; i < thread_count; ++i) {
    if (threads[i].state != State::at_warp_operation) continue;
    for (uint32_t rest = threads[i].mask; rest != 0; rest &= rest - 1) {
      const Thread& missing = threads[i / kWarp * kWarp + unsigned(std::countr_zero(rest))];
      if (missing.state == State::at_warp_operation) continue;
      die(fmt::format("divergence: {}, {}", describe(threads[i]), describe(missing)), threads[i]);
    }
  }
}

// No thread can go on: all of them must have come to one barrier.
void open_barrier() {
  check_warp_operations();
  const Thread* waiting = threads;
  while (waiting->state == State::returned) ++waiting;
  for (unsigned i = 0; i < thread_count; ++i) {
    if (threads[i].state == State::at_barrier && same_place(threads[i].where, waiting->where)) continue;
    die(fmt::format("divergence: {}, {}", describe(*waiting), describe(threads[i])), *waiting);
  }
  acquire(came_to_barrier);
  release(may_leave_barrier);
  if (observer != nullptr) observer->barrier_opens();
  votes_result = std::exchange(votes, 0);
  for (unsigned i = 0; i < thread_count; ++i) threads[i].state = State::runnable;
}

// Shared memory that the block has not written reads as NaN.
void fill_shared_memory(size_t dynamic_bytes) {
  if (dynamic_bytes > 0) std::memset(dynamic_shared, 0xff, dynamic_bytes);
  if (under_asan()) return;  // the red zones between the variables are not to be written
  const auto static_bytes = size_t(executor_shared_end - executor_shared_begin);
  if (static_bytes > 0) std::memset(executor_shared_begin, 0xff, static_bytes);
}

void run_block() {
  std::vector<unsigned> order(thread_count);
  std::iota(order.begin(), order.end(), 0u);
  returned_count = 0;
  votes = 0;
  if (observer != nullptr) observer->block_begins();
  std::fill(std::begin(warps), std::end(warps), Warp{});
  for (unsigned i = 0; i < thread_count; ++i) {
    threads[i].state = State::runnable;
    threads[i].fiber.start(thread_main);
  }
  shuffle(order);
  while (returned_count < thread_count) {
    if (run_warps(order)) continue;
    open_barrier();
    shuffle(order);
  }
  current = nullptr;
  if (observer != nullptr) observer->block_ends();
}

std::vector<uint32_t> block_order(dim3 grid) {
  std::vector<uint32_t> order(size_t{grid.x} * grid.y * grid.z);
  std::iota(order.begin(), order.end(), 0u);
  if (random_order) std::shuffle(order.begin(), order.end(), random_bits);
  return order;
}

}  // namespace

void run(dim3 grid, dim3 block, size_t shared_bytes, const void* kernel, void (*body)(void*),
         void* argument) {
  const char* seed = std::getenv("EXECUTOR_SEED");
  random_bits.seed(seed == nullptr ? 0 : std::strtoull(seed, nullptr, 10));
  random_order = seed != nullptr && std::strtoull(seed, nullptr, 10) > 0;
  gridDim = grid;
  blockDim = block;
  current_kernel = kernel;
  current_body = body;
  current_argument = argument;
  thread_count = block.x * block.y * block.z;
  for (unsigned i = 0; i < thread_count; ++i) {
    threads[i].index = {i % block.x, i / block.x % block.y, i / (block.x * block.y)};
  }
  dynamic_shared = nullptr;
  dynamic_shared_bytes = shared_bytes;
  if (shared_bytes > 0 && posix_memalign(&dynamic_shared, 128, shared_bytes) != 0) std::abort();
  for (const uint32_t i : block_order(grid)) {
    blockIdx = {i % grid.x, i / grid.x % grid.y, i / grid.x / grid.y};
    fill_shared_memory(shared_bytes);
    run_block();
  }
  std::free(dynamic_shared);
  if (observer != nullptr) observer->launch_ends();
}

unsigned running_thread() { return current == nullptr ? kNoThread : number(current); }
uint3 thread_index(unsigned number) { return threads[number].index; }
void die_in_thread(const std::string& what) { die(what, *current); }

int lane() { return int(number(current) % kWarp); }

int block_barrier(bool predicate, Place where) {
  release(came_to_barrier);
  votes += predicate;
  current->where = where;
  current->state = State::at_barrier;
  Fiber::pause();
  acquire(may_leave_barrier);
  return votes_result;
}

namespace {

void check_mask(const Thread& thread, uint32_t mask) {
  const unsigned self = number(&thread) % kWarp, first = number(&thread) - self;
  const unsigned lanes = std::min(thread_count - first, kWarp);
  const uint32_t existing = lanes < kWarp ? (1u << lanes) - 1 : ~0u;
  const char* fault = nullptr;
  if ((mask >> self & 1) == 0) fault = "leaves out the calling lane";
  if ((mask & ~existing) != 0) fault = "names a lane that the block does not have";
  if ((mask & warps[first / kWarp].returned) != 0) fault = "names a lane that has returned";
  if (fault == nullptr) return;
  die(fmt::format("wrong mask: {:#010x} at {} {}", mask, place(thread.where), fault), thread);
}

// All lanes of `mask` have come: checks that they want the same, and gives each its result.
void complete_warp_operation(Thread* lanes, uint32_t mask, WarpOperation operation) {
  uint32_t ballot = 0;
  for (uint32_t rest = mask; rest != 0; rest &= rest - 1) {
    Thread& thread = lanes[std::countr_zero(rest)];
    if (thread.mask != mask || thread.operation != operation) {
      die(fmt::format("wrong mask: {}, {}", describe(*current), describe(thread)), *current);
    }
    if (thread.value != 0) ballot |= 1u << std::countr_zero(rest);
    if (operation == WarpOperation::sync) acquire(thread.came);
  }
  for (uint32_t rest = mask; rest != 0; rest &= rest - 1) {
    Thread& thread = lanes[std::countr_zero(rest)];
    if (operation == WarpOperation::shuffle && (mask >> thread.source & 1) == 0) {
      die(fmt::format("wrong mask: {:#010x} at {} leaves out lane {}, which the thread reads", mask,
                      place(thread.where), thread.source),
          thread);
    }
    thread.result = operation == WarpOperation::shuffle ? lanes[thread.source].value : ballot;
    thread.state = State::runnable;
    if (operation == WarpOperation::sync) release(thread.may_leave);
  }
  if (operation == WarpOperation::sync && observer != nullptr) {
    observer->lanes_synchronise(number(lanes) / kWarp, mask);
  }
}

}  // namespace

// The last lane to come completes the operation for all. As in CUDA only a sync orders the lanes' memory,
// shuffles and votes do not.
uint64_t warp_operation(WarpOperation operation, uint32_t mask, uint64_t value, int source, Place where) {
  Thread& self = *current;
  self.where = where;
  check_mask(self, mask);
  self.operation = operation;
  self.mask = mask;
  self.value = value;
  self.source = source;
  self.state = State::at_warp_operation;
  if (operation == WarpOperation::sync) release(self.came);
  uint32_t& waiting = warps[number(&self) / kWarp].waiting;
  waiting |= 1u << lane();
  if ((waiting & mask) == mask) {
    waiting &= ~mask;
    complete_warp_operation(&self - lane(), mask, operation);
  } else {
    Fiber::pause();
  }
  if (operation == WarpOperation::sync) acquire(self.may_leave);
  return self.result;
}

}  // namespace executor
