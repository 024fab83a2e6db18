// TCP between two ranks: as little of it as they need. No call outlasts its deadline.
//
// since 12_ddp
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace gpt2::dist {

// The moment by which something must be done. Handed down, it bounds all waits of one task together.
class Deadline {
 public:
  explicit Deadline(std::chrono::milliseconds time)
      : time_(time), end_(std::chrono::steady_clock::now() + time) {}

  std::chrono::milliseconds left() const;  // 0 once it has passed
  bool has_passed() const { return left().count() == 0; }
  double seconds() const { return double(time_.count()) / 1e3; }  // from its start to its end

  // The earlier of this deadline and one that starts now.
  Deadline at_most(std::chrono::milliseconds time) const { return Deadline(std::min(left(), time)); }

 private:
  std::chrono::milliseconds time_;
  std::chrono::steady_clock::time_point end_;
};

// The addresses of this machine alone. The name localhost is never looked up: a bare machine does not know it.
inline constexpr const char* kLoopback = "127.0.0.1";
bool is_loopback(const std::string& host);  // 127.x.y.z or localhost

class Socket {
 public:
  Socket() = default;  // undefined
  explicit Socket(int fd) : fd_(fd) {}
  Socket(Socket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Socket& operator=(Socket&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Socket();

  // Waits for connections on `port` (0: any free port) of the interface that has the address `host`. If no
  // interface of this machine has it (a load balancer's, say) or if `host` is empty, of all interfaces.
  // Undefined, with errno set, if the port is in use.
  static Socket listen(const std::string& host, int port, const Deadline& deadline);
  int port() const;
  // A connection that has arrived; undefined if there is none. Does not wait.
  Socket accept() const;

  // Undefined if nobody listens at this address.
  static Socket connect(const std::string& host, int port, const Deadline& deadline);

  // All bytes, or false.
  bool send(const void* bytes, size_t count) const;
  bool receive(void* bytes, size_t count, const Deadline& deadline) const;
  // What has arrived, at most `count` bytes: their number; 0: nothing yet; -1: the connection has ended.
  int receive_some(void* bytes, size_t count) const;

  bool defined() const { return fd_ >= 0; }
  int fd() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }  // stays open until the process ends

 private:
  int fd_ = -1;
};

}  // namespace gpt2::dist
