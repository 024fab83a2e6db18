#include "common/dist/watchdog.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "common/base/error.h"
#include "common/base/os.h"
#include "common/text/utf8.h"

namespace gpt2::dist {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr int kTicks = 10;  // signs of life while the patience lasts
constexpr char kAlive = 'a', kLeaves = 'l', kFails = 'f';
constexpr char kOver = 'o';  // rank 0: the run is over, and its line is printed

// What has been printed so far goes out, unless the main thread is at it and stuck.
void flush_stdout() {
  if (ftrylockfile(stdout) != 0) return;
  std::fflush(stdout);  // the lock is recursive
  funlockfile(stdout);
}

}  // namespace

Watchdog::Watchdog(int rank, Peers peers, milliseconds patience, std::function<std::string()> error)
    : rank_(rank), patience_(patience), error_(std::move(error)) {
  for (Peer& peer : peers) watched_.push_back({.peer = std::move(peer)});
  const bool is_open = os::open_pipe(stop_) == 0;
  require(is_open, "no pipe: {}", std::strerror(errno));
  thread_ = std::thread([this] { watch(); });
}

Watchdog::~Watchdog() {
  if (thread_.joinable()) {
    stop();
    tell(kLeaves);
  }
  close(stop_[0]);
  close(stop_[1]);
}

void Watchdog::stop() {
  const ssize_t written = write(stop_[1], "s", 1);
  (void)written;  // an empty pipe takes a byte
  thread_.join();
}

void Watchdog::watch() {
  std::vector<pollfd> sockets{{stop_[0], POLLIN, 0}};
  for (const Watched& watched : watched_) sockets.push_back({watched.peer.socket.fd(), POLLIN, 0});
  auto next_tick = steady_clock::now();
  for (;;) {
    poll(sockets.data(), sockets.size(), int(patience_.count() / kTicks));
    if (sockets[0].revents != 0) return;
    for (size_t i = 0; i < watched_.size(); ++i) {
      if (sockets[i + 1].revents != 0) listen(watched_[i]);
      if (watched_[i].has_left) sockets[i + 1].fd = -1;  // poll passes over it
    }
    if (steady_clock::now() < next_tick) continue;
    next_tick = steady_clock::now() + patience_ / kTicks;
    tick();
  }
}

void Watchdog::tick() {
  tell(kAlive);
  for (Watched& watched : watched_) {
    // Our own ticks are counted, not the clock's time: a machine that sleeps makes no rank lost.
    if (!watched.has_left && ++watched.silence > kTicks) {
      lost(watched, fmt::format("no sign of life for {} s", double(patience_.count()) / 1e3));
    }
  }
  if (const std::string error = error_(); !error.empty()) {
    tell(kFails);
    end(error);
  }
}

void Watchdog::listen(Watched& watched) {
  char signs[64];
  const ssize_t count = recv(watched.peer.socket.fd(), signs, sizeof(signs), MSG_DONTWAIT);
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (count > 0) {
    watched.silence = 0;
    for (ssize_t i = 0; i < count; ++i) hear(watched, signs[i]);
  } else if (!watched.has_left) {
    lost(watched, "its process has ended");
  }
}

void Watchdog::hear(Watched& watched, char sign) {
  if (sign == kLeaves) watched.has_left = true;
  if (sign == kFails) watched.has_failed = true;
  if (sign == kOver) end("");
}

void Watchdog::lost(const Watched& watched, const std::string& why) {
  const bool mine_to_say = !watched.has_failed && (rank_ == 0 || rank_ == 1);
  end(mine_to_say ? fmt::format("lost rank {}: {}", watched.peer.rank, why) : "");
}

void Watchdog::tell(char sign) {
  for (const Watched& watched : watched_) {
    // A peer that does not read its bytes is not waited for; one that is gone shows when it is listened to.
    if (!watched.has_left) os::send_quietly(watched.peer.socket.fd(), &sign, 1, /*wait=*/false);
  }
}

void Watchdog::end(const std::string& line) {
  flush_stdout();
  if (line.empty()) {
    std::this_thread::sleep_for(
        milliseconds(500));  // a launcher ends all ranks with the first: not before the line
  } else {
    // Unlike fmt::print, fputs does not throw if standard error is closed.
    std::fputs(
        fmt::format("{}: rank {}: {}; the run ends here\n", os::program_name(), rank_, printable_line(line))
            .c_str(),
        stderr);
  }
  if (rank_ == 0) tell(kOver);
  std::_Exit(1);  // the main thread is in the middle of something: nothing can be unwound
}

void Watchdog::fail() {
  stop();
  tell(kFails);
  if (rank_ != 0) await_failure_of(watched_[0]);
  for (Watched& watched : watched_) watched.peer.socket.release();  // closes when the line is out
}

void Watchdog::await_failure_of(Watched& root) {
  const auto begin = steady_clock::now();
  while (steady_clock::now() - begin < (root.has_failed ? patience_ : milliseconds(1000)) && !root.has_left) {
    pollfd socket{root.peer.socket.fd(), POLLIN, 0};
    if (poll(&socket, 1, 100) == 1) listen(root);  // does not return once rank 0 has ended
  }
}

}  // namespace gpt2::dist
