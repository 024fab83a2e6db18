#include "tests/executor/fiber.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "tests/executor/sanitizers.h"

// Pushes the registers that a call preserves, leaves the stack's pointer in *save, and pops the same from the
// other stack.
extern "C" void executor_switch_stack(void** save, void* other);

#if defined(__x86_64__)
asm(R"(
.pushsection .text
.type executor_switch_stack,@function
executor_switch_stack:
  pushq %rbp; pushq %rbx; pushq %r12; pushq %r13; pushq %r14; pushq %r15
  movq %rsp,(%rdi)
  movq %rsi,%rsp
  popq %r15; popq %r14; popq %r13; popq %r12; popq %rbx; popq %rbp
  ret
.popsection
)");
#elif defined(__aarch64__)
asm(R"(
.pushsection .text
.type executor_switch_stack,%function
executor_switch_stack:
  sub sp,sp,#160
  stp x19,x20,[sp,#0]; stp x21,x22,[sp,#16]; stp x23,x24,[sp,#32]; stp x25,x26,[sp,#48]
  stp x27,x28,[sp,#64]; stp x29,x30,[sp,#80]
  stp d8,d9,[sp,#96]; stp d10,d11,[sp,#112]; stp d12,d13,[sp,#128]; stp d14,d15,[sp,#144]
  mov x9,sp
  str x9,[x0]
  mov sp,x1
  ldp x19,x20,[sp,#0]; ldp x21,x22,[sp,#16]; ldp x23,x24,[sp,#32]; ldp x25,x26,[sp,#48]
  ldp x27,x28,[sp,#64]; ldp x29,x30,[sp,#80]
  ldp d8,d9,[sp,#96]; ldp d10,d11,[sp,#112]; ldp d12,d13,[sp,#128]; ldp d14,d15,[sp,#144]
  add sp,sp,#160
  ret
.popsection
)");
#else
#error "executor_switch_stack: write it for this processor"
#endif

namespace executor {
namespace {

constexpr unsigned kNoOrder = 1;  // __tsan_switch_to_fiber: a switch alone orders no memory

Fiber* running = nullptr;
void* host_stack_pointer = nullptr;
const void* host_stack = nullptr;  // for AddressSanitizer: the host's stack and its size
size_t host_stack_bytes = 0;
void* host_tsan_fiber = nullptr;
Tag returned;

size_t stack_bytes() { return under_asan() ? 256 << 10 : 64 << 10; }  // its red zones take room

// What executor_switch_stack finds on a stack that has never run: registers, then where to return to.
void* first_frame(char* stack_end, void (*entry)()) {
#if defined(__x86_64__)
  constexpr size_t words = 8, return_address = 6;
#else
  constexpr size_t words = 20, return_address = 11;
#endif
  auto* frame = reinterpret_cast<void**>(stack_end) - words;
  std::memset(frame, 0, words * sizeof(void*));
  frame[return_address] = reinterpret_cast<void*>(entry);
  return frame;
}

std::vector<char*>& free_stacks() {
  static std::vector<char*> stacks;
  return stacks;
}

char* map_stack() {
  const auto guard = size_t(sysconf(_SC_PAGESIZE));  // an overflow faults; 64 KiB on some arm64 machines
  void* memory = mmap(nullptr, guard + stack_bytes(), PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED || mprotect(memory, guard, PROT_NONE) != 0) {
    std::perror("executor: no memory for a fiber's stack");
    std::abort();
  }
  return static_cast<char*>(memory) + guard;
}

// The last stack given back is the first one taken: it is still in the cache.
char* new_stack() {
  if (under_tsan()) return static_cast<char*>(std::aligned_alloc(64, stack_bytes()));  // new memory to TSan
  if (free_stacks().empty()) return map_stack();
  char* stack = free_stacks().back();
  free_stacks().pop_back();
  return stack;
}

void give_back(char* stack) {
  if (under_tsan()) {
    std::free(stack);
  } else {
    free_stacks().push_back(stack);
  }
}

}  // namespace

void Fiber::start(void (*body)()) {
  body_ = body;
  if (under_tsan()) {
    take_stack();  // before the fiber exists: what the host does later is a race with it
    tsan_fiber_ = __tsan_create_fiber(0);
  }
}

void Fiber::take_stack() {
  stack_ = new_stack();
  stack_pointer_ = first_frame(stack_ + stack_bytes(), enter);
}

void Fiber::resume() {
  if (stack_ == nullptr) take_stack();
  running = this;
  void* fake_stack = nullptr;
  if (under_asan()) __sanitizer_start_switch_fiber(&fake_stack, stack_, stack_bytes());
  if (under_tsan()) {
    host_tsan_fiber = __tsan_get_current_fiber();
    __tsan_switch_to_fiber(tsan_fiber_, kNoOrder);
  }
  executor_switch_stack(&host_stack_pointer, stack_pointer_);
  if (under_asan()) __sanitizer_finish_switch_fiber(fake_stack, nullptr, nullptr);
  if (body_ == nullptr) {  // it has returned
    acquire(returned);
    if (under_tsan()) __tsan_destroy_fiber(tsan_fiber_);
    give_back(stack_);
    stack_ = nullptr;
  }
}

void Fiber::pause() { running->leave(false); }

void Fiber::enter() {
  if (under_asan()) __sanitizer_finish_switch_fiber(nullptr, &host_stack, &host_stack_bytes);
  running->body_();
  running->body_ = nullptr;
  release(returned);
  running->leave(true);
}

void Fiber::leave(bool for_good) {
  void* fake_stack = nullptr;
  if (under_asan()) {
    __sanitizer_start_switch_fiber(for_good ? nullptr : &fake_stack, host_stack, host_stack_bytes);
  }
  if (under_tsan()) __tsan_switch_to_fiber(host_tsan_fiber, kNoOrder);
  executor_switch_stack(&stack_pointer_, host_stack_pointer);
  if (under_asan()) __sanitizer_finish_switch_fiber(fake_stack, &host_stack, &host_stack_bytes);
}

}  // namespace executor
