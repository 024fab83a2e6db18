// A web server for tests: files by path, with the answers that data/fetch asks for. One connection at a time.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace gpt2::testing {

struct ServedFile {
  std::string bytes = "";
  std::string checksum = "";  // its ETag; none if empty
  size_t breaks_off = 0;      // the next GETs send so many bytes and close; 0: all
  int times = 1;              // how many of them
  bool goes_on = true;        // knows Range: bytes=N-
  bool stalls = false;        // where it breaks off it keeps the connection and sends nothing more
  int silent = 0;             // so many requests get no answer at all
  int unavailable = 0;        // so many requests are answered with 503
  int endless = 0;            // so many GETs are answered without a length, and with bytes that never end
};

class Server {
 public:
  Server() : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    if (::bind(socket_, generic, length) != 0 || ::listen(socket_, 16) != 0 ||
        ::getsockname(socket_, generic, &length) != 0)
      throw std::runtime_error("no port to serve at");
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { serve(); });
  }
  ~Server() {
    ::shutdown(socket_, SHUT_RDWR);
    thread_.join();
    ::close(socket_);
  }
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }

  std::map<std::string, ServedFile> files;  // by path; not to be changed while somebody asks
  std::vector<std::string> requests;        // "GET /path", "GET /path from 100"

 private:
  void serve() {
    for (int connection; (connection = ::accept(socket_, nullptr, nullptr)) >= 0; ::close(connection)) {
      std::string request;
      char buffer[4096];
      while (request.find("\r\n\r\n") == request.npos) {
        const ssize_t n = ::read(connection, buffer, sizeof buffer);
        if (n <= 0) break;
        request.append(buffer, size_t(n));
      }
      bool stays = false;
      const std::string answer = answer_to(request, stays);
      for (size_t at = 0; at < answer.size();) {
        const ssize_t n = ::send(connection, answer.data() + at, answer.size() - at, MSG_NOSIGNAL);
        if (n <= 0) break;
        at += size_t(n);
      }
      const std::string more = std::exchange(endless_, false) ? std::string(1 << 16, 'x') : "";
      while (!more.empty() && ::send(connection, more.data(), more.size(), MSG_NOSIGNAL) > 0) {
      }
      while (stays && ::read(connection, buffer, sizeof buffer) > 0) {
      }  // until the client has had enough
    }
  }

  // What to send; `stays`: and then to wait for the client to close.
  std::string answer_to(const std::string& request, bool& stays) {
    const size_t space = request.find(' ');
    const std::string method = request.substr(0, space);
    const std::string path = request.substr(space + 1, request.find(' ', space + 1) - space - 1);
    const size_t range = request.find("Range: bytes=");
    const size_t from = range == request.npos ? 0 : std::strtoul(&request[range + 13], nullptr, 10);
    requests.push_back(method + " " + path + (from > 0 ? " from " + std::to_string(from) : ""));
    const auto found = files.find(path);
    if (found == files.end())
      return "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    ServedFile& file = found->second;
    stays = file.silent > 0;
    if (stays) return --file.silent, "";
    if (file.unavailable > 0 && --file.unavailable >= 0)
      return "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    const bool part = from > 0 && file.goes_on;
    std::string body = file.bytes.substr(part ? from : 0);
    std::string answer = part ? "HTTP/1.1 206 Partial Content\r\n" : "HTTP/1.1 200 OK\r\n";
    if (part) {
      answer += "Content-Range: bytes " + std::to_string(from) + "-" + std::to_string(file.bytes.size() - 1) +
                "/" + std::to_string(file.bytes.size()) + "\r\n";
    }
    endless_ = method == "GET" && file.endless > 0 && --file.endless >= 0;
    if (!endless_) answer += "Content-Length: " + std::to_string(body.size()) + "\r\n";
    answer += "Connection: close\r\n";
    if (!file.checksum.empty()) answer += "ETag: \"" + file.checksum + "\"\r\n";
    if (method == "HEAD") return answer + "\r\n";
    if (file.breaks_off > 0) {
      stays = file.stalls;
      body.resize(std::min(body.size(), file.breaks_off));
      if (--file.times <= 0) file.breaks_off = 0;
    }
    return answer + "\r\n" + body;
  }

  bool endless_ = false;  // the current answer
  int socket_;
  int port_ = 0;
  std::thread thread_;
};

}  // namespace gpt2::testing
