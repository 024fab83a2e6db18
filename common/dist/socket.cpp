#include "common/dist/socket.h"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <future>
#include <thread>

#include "common/base/os.h"

namespace gpt2::dist {
namespace {

using std::chrono::milliseconds;

struct Address {
  sockaddr_storage bytes;
  socklen_t size;

  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&bytes); }
};
using Addresses = std::vector<Address>;

// Where `host` is, which may take as long as the name servers like. Empty: all interfaces (AI_PASSIVE).
Addresses look_up(const std::string& host, int port) {
  addrinfo wanted{}, *found = nullptr;
  wanted.ai_family = host.empty() ? AF_INET : AF_UNSPEC;
  wanted.ai_socktype = SOCK_STREAM;
  wanted.ai_flags = host.empty() ? AI_PASSIVE : 0;
  const char* name = host.empty() ? nullptr : host == "localhost" ? kLoopback : host.c_str();
  if (getaddrinfo(name, std::to_string(port).c_str(), &wanted, &found) != 0) return {};
  Addresses addresses;
  for (const addrinfo* at = found; at != nullptr; at = at->ai_next) {
    Address& address = addresses.emplace_back();
    std::memcpy(&address.bytes, at->ai_addr, at->ai_addrlen);
    address.size = at->ai_addrlen;
  }
  freeaddrinfo(found);
  return addresses;
}

// The same within the deadline: a name server that does not answer costs a thread, which is left to itself.
Addresses find(const std::string& host, int port, const Deadline& deadline) {
  if (host.empty() || is_loopback(host)) return look_up(host, port);
  std::packaged_task<Addresses()> task([=] { return look_up(host, port); });
  std::future<Addresses> found = task.get_future();
  std::thread(std::move(task)).detach();
  return found.wait_for(deadline.left()) == std::future_status::ready ? found.get() : Addresses();
}

bool is_ready(int fd, short event, const Deadline& deadline) {
  pollfd waiting{fd, event, 0};
  return poll(&waiting, 1, int(deadline.left().count())) == 1;
}

void set(int fd, int level, int option) {
  const int on = 1;
  setsockopt(fd, level, option, &on, sizeof(on));
}

void set_waiting(int fd, bool waits) {
  const int flags = fcntl(fd, F_GETFL);
  fcntl(fd, F_SETFL, waits ? flags & ~O_NONBLOCK : flags | O_NONBLOCK);
}

Socket make_socket(const Address& address) {
  return Socket(os::open_socket(address.bytes.ss_family, SOCK_STREAM, 0));
}

Socket listen_at(const Address& address) {
  Socket socket = make_socket(address);
  set(socket.fd(), SOL_SOCKET, SO_REUSEADDR);  // a run may follow another at once
  const bool listens =
      bind(socket.fd(), address.get(), address.size) == 0 && ::listen(socket.fd(), SOMAXCONN) == 0;
  if (!listens) return {};
  set_waiting(socket.fd(), false);  // a connection may be gone again before it is accepted
  return socket;
}

Socket connect_to(const Address& address, const Deadline& deadline) {
  Socket socket = make_socket(address);
  set_waiting(socket.fd(), false);  // connect() itself would wait for minutes
  if (::connect(socket.fd(), address.get(), address.size) != 0) {
    int error = 0;
    socklen_t size = sizeof(error);
    const bool connects = errno == EINPROGRESS && is_ready(socket.fd(), POLLOUT, deadline) &&
                          getsockopt(socket.fd(), SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error == 0;
    if (!connects) return {};
  }
  set_waiting(socket.fd(), true);
  set(socket.fd(), IPPROTO_TCP, TCP_NODELAY);
  return socket;
}

}  // namespace

milliseconds Deadline::left() const {
  const auto left = std::chrono::duration_cast<milliseconds>(end_ - std::chrono::steady_clock::now());
  return std::max(left, milliseconds(0));
}

bool is_loopback(const std::string& host) { return host == "localhost" || host.starts_with("127."); }

Socket::~Socket() {
  if (fd_ >= 0) close(fd_);
}

Socket Socket::listen(const std::string& host, int port, const Deadline& deadline) {
  for (const Address& address : find(host, port, deadline)) {
    Socket socket = listen_at(address);
    if (socket.defined() || errno == EADDRINUSE || errno == EACCES) return socket;
  }
  return host.empty() ? Socket() : listen("", port, deadline);
}

int Socket::port() const {
  sockaddr_storage address{};
  socklen_t size = sizeof(address);
  getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size);
  return ntohs(address.ss_family == AF_INET6 ? reinterpret_cast<sockaddr_in6&>(address).sin6_port
                                             : reinterpret_cast<sockaddr_in&>(address).sin_port);
}

Socket Socket::accept() const { return Socket(os::accept_on(fd_)); }

Socket Socket::connect(const std::string& host, int port, const Deadline& deadline) {
  for (const Address& address : find(host, port, deadline)) {
    Socket socket = connect_to(address, deadline.at_most(std::chrono::seconds(5)));
    if (socket.defined()) return socket;
  }
  return {};
}

bool Socket::send(const void* bytes, size_t count) const {
  const char* at = static_cast<const char*>(bytes);
  for (const char* end = at + count; at < end;) {
    const ssize_t sent = os::send_quietly(fd_, at, size_t(end - at), /*wait=*/true);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) return false;
    at += sent;
  }
  return true;
}

bool Socket::receive(void* bytes, size_t count, const Deadline& deadline) const {
  char* at = static_cast<char*>(bytes);
  for (const char* end = at + count; at < end;) {
    const int received = is_ready(fd_, POLLIN, deadline) ? receive_some(at, size_t(end - at)) : 0;
    if (received < 0 || (received == 0 && deadline.has_passed())) return false;
    at += received;
  }
  return true;
}

int Socket::receive_some(void* bytes, size_t count) const {
  const ssize_t received = recv(fd_, bytes, count, MSG_DONTWAIT);
  if (received > 0) return int(received);
  return received < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
}

}  // namespace gpt2::dist
