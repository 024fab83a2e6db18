// TCP, as little of it as two ranks need.
//
// since 12_ddp
#pragma once

#include <chrono>
#include <string>
#include <utility>

namespace gpt2::dist {

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

  // Waits for connections on `port` (0: one that is free), from this machine alone or from anywhere.
  // Undefined, with errno set, if that port is taken.
  static Socket listen(int port, bool this_machine_alone);
  int port() const;
  Socket accept(std::chrono::milliseconds timeout) const;  // undefined if nobody came

  // Undefined if nobody listens there.
  static Socket connect(const std::string& host, int port);

  // All bytes, or false.
  bool send(const void* bytes, size_t count) const;
  bool receive(void* bytes, size_t count, std::chrono::milliseconds timeout) const;

  bool defined() const { return fd_ >= 0; }
  int fd() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }  // stays open until the process ends

 private:
  int fd_ = -1;
};

}  // namespace gpt2::dist
