// A fiber: a function that runs on a stack of its own, and can pause in the middle.
//
// Whoever resumes a fiber is the host; it goes on when the fiber pauses or its function returns. Everything
// happens on one OS thread. AddressSanitizer is told of each change of stack; ThreadSanitizer takes each fiber
// for a thread, created by start() and joined when its function has returned. So both report errors in kernels
// as they do elsewhere.
//
// since 01_module
#pragma once

namespace executor {

class Fiber {
 public:
  void start(void (*body)());  // body() runs from the next resume() on
  void resume();               // by the host
  static void pause();         // by the fiber

 private:
  static void enter();
  void take_stack();
  void leave(bool for_good);

  void (*body_)() = nullptr;
  char* stack_ = nullptr;          // while body() runs or pauses
  void* stack_pointer_ = nullptr;  // while it pauses
  void* tsan_fiber_ = nullptr;
};

}  // namespace executor
