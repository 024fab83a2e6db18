// A fiber: a function that runs on its own stack and can pause.
//
// The code that resumes a fiber is the host; it continues when the fiber pauses or its function returns.
// Everything runs on one OS thread. AddressSanitizer is told of each change of stack. ThreadSanitizer treats
// each fiber as a thread, created by start() and joined when its function returns. So both find errors in
// kernels as in other code.
//
// since 01_module
#pragma once

namespace executor {

class Fiber {
 public:
  void start(void (*body)());  // body() runs from the next resume() on
  void resume();               // called by the host
  static void pause();         // called by the fiber

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
