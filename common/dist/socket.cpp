#include "common/dist/socket.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/os.h"

namespace gpt2::dist {
namespace {

bool readable(int fd, std::chrono::milliseconds timeout) {
  pollfd waiting{fd, POLLIN, 0};
  return poll(&waiting, 1, int(timeout.count())) == 1;
}

void set(int fd, int level, int option) {
  const int on = 1;
  setsockopt(fd, level, option, &on, sizeof(on));
}

}  // namespace

Socket::~Socket() {
  if (fd_ >= 0) close(fd_);
}

Socket Socket::listen(int port, bool this_machine_alone) {
  Socket socket(os::open_socket(AF_INET, SOCK_STREAM, 0));
  set(socket.fd_, SOL_SOCKET, SO_REUSEADDR);  // a run may follow another at once
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(uint16_t(port));
  address.sin_addr.s_addr = htonl(this_machine_alone ? INADDR_LOOPBACK : INADDR_ANY);
  const bool listens = bind(socket.fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0 &&
                       ::listen(socket.fd_, SOMAXCONN) == 0;
  return listens ? std::move(socket) : Socket();
}

int Socket::port() const {
  sockaddr_in address{};
  socklen_t size = sizeof(address);
  getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size);
  return ntohs(address.sin_port);
}

Socket Socket::accept(std::chrono::milliseconds timeout) const {
  return readable(fd_, timeout) ? Socket(os::accept_on(fd_)) : Socket();
}

Socket Socket::connect(const std::string& host, int port) {
  addrinfo wanted{}, *found = nullptr;
  wanted.ai_family = AF_INET;
  wanted.ai_socktype = SOCK_STREAM;
  if (getaddrinfo(host.c_str(), std::to_string(port).c_str(), &wanted, &found) != 0) return {};
  Socket socket;
  for (const addrinfo* at = found; at != nullptr && !socket.defined(); at = at->ai_next) {
    Socket candidate(os::open_socket(at->ai_family, at->ai_socktype, at->ai_protocol));
    if (::connect(candidate.fd_, at->ai_addr, at->ai_addrlen) == 0) socket = std::move(candidate);
  }
  freeaddrinfo(found);
  if (socket.defined()) set(socket.fd_, IPPROTO_TCP, TCP_NODELAY);
  return socket;
}

bool Socket::send(const void* bytes, size_t count) const {
  const char* at = static_cast<const char*>(bytes);
  for (const char* end = at + count; at < end;) {
    const ssize_t sent = os::send_quietly(fd_, at, size_t(end - at), /*wait=*/true);
    if (sent <= 0) return false;
    at += sent;
  }
  return true;
}

bool Socket::receive(void* bytes, size_t count, std::chrono::milliseconds timeout) const {
  char* at = static_cast<char*>(bytes);
  for (const char* end = at + count; at < end;) {
    const ssize_t received = readable(fd_, timeout) ? recv(fd_, at, size_t(end - at), 0) : 0;
    if (received <= 0) return false;
    at += received;
  }
  return true;
}

}  // namespace gpt2::dist
