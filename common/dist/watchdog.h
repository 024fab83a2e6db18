// Ends a run that has lost a rank. Without that rank the others would wait in their next collective for ever.
//
// A thread on each rank listens to the connection with rank 0, on rank 0 to all of them, and sends a byte on
// it once in a while. A connection that closes is a process that has ended, and is noticed at once; ten
// seconds without a byte are a process that is stopped or a machine that is gone. A rank that is merely slow,
// say with a checkpoint to write, sends its bytes all the same, and is waited for.
//
// since 12_ddp
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <thread>

#include "common/dist/peers.h"

namespace gpt2::dist {

class Watchdog {
 public:
  // Ends this process, with status 1, `patience` after the last sign of life of a peer, or when `error`,
  // called often, returns text. One line on stderr says so: rank 0 prints it, or rank 1 if rank 0 is the one
  // lost.
  Watchdog(int rank, Peers peers, std::chrono::milliseconds patience, std::function<std::string()> error);
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;
  ~Watchdog();  // the run has ended well: the others need not worry about this rank

  // This rank is about to end with an error and a line of its own: the others shall print none. If rank 0
  // fails too, presumably for the same reason, its line is enough, and this rank ends here.
  void fail();

 private:
  struct Watched {
    Peer peer;
    int silence = 0;          // of our ticks since its last sign of life
    bool has_left = false;    // its run has ended well
    bool has_failed = false;  // it prints a line of its own
  };

  void watch();
  void tick();
  void stop();
  void listen(Watched& watched);
  void hear(Watched& watched, char sign);
  void lost(const Watched& watched, const std::string& why);
  void tell(char sign);
  void await_failure_of(Watched& root);
  [[noreturn]] void end(const std::string& line);

  int rank_;
  std::vector<Watched> watched_;
  std::chrono::milliseconds patience_;
  std::function<std::string()> error_;
  int stop_[2];  // a pipe: a byte in it ends the thread
  std::thread thread_;
};

}  // namespace gpt2::dist
