#include "common/dist/peers.h"

#include <fmt/ranges.h>
#include <poll.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <optional>
#include <random>
#include <thread>

#include "common/base/error.h"

namespace gpt2::dist {
namespace {

using std::chrono::milliseconds;

// What a rank sends first.
struct Greeting {
  uint64_t magic = 0x3270742d32646470;  // "pdd2-tp2"; another one for every other layout
  int32_t rank = 0, world_size = 0;
  char key[256] = "", gpu[128] = "";
};

// What rank 0 sends: at once whether the sender is one of its ranks, and again when all have come.
enum class Answer : uint64_t { welcome = 0x656d6f636c6577, refused = 0x64657375666572, start = 0x7472617473 };

// The time within which something that answers at rank 0's address must prove to be rank 0.
constexpr milliseconds kProof{5000};

// The time within which it must answer at all: a rank without a sign of life for so long is lost (watchdog.h), too.
constexpr milliseconds kSilence{10000};

// More connections than this are not kept waiting for their first words: the oldest is dropped.
constexpr size_t kMaxVisitors = 64;

template <size_t N>
void put(char (&to)[N], const std::string& from) {
  std::strncpy(to, from.c_str(), N - 1);
}

Greeting greeting_of(const Introduction& self) {
  Greeting greeting{.rank = self.rank, .world_size = self.world_size};
  put(greeting.key, self.key);
  put(greeting.gpu, self.gpu);
  return greeting;
}

bool send(const Socket& socket, Answer answer) { return socket.send(&answer, sizeof(answer)); }

std::optional<Answer> receive(const Socket& socket, const Deadline& deadline) {
  Answer answer{};
  if (!socket.receive(&answer, sizeof(answer), deadline)) return std::nullopt;
  return answer;
}

// Rank 0 while it waits for the others.
class Reception {
 public:
  Reception(const Socket& listener, const Introduction& self)
      : listener_(listener), self_(greeting_of(self)) {}

  // Serves whoever comes or speaks next.
  void serve(const Deadline& deadline);

  bool is_complete() const { return int(guests_.size()) + 1 == self_.world_size; }
  std::string missing() const;
  Peers start();

 private:
  struct Visitor {  // a connection
    Socket socket;
    Greeting greeting;  // of which `received` bytes are here
    size_t received = 0;
    bool has_left = false;
  };

  void listen(Visitor& visitor);
  void seat(Visitor& visitor);
  bool is_seated(int rank) const;

  const Socket& listener_;
  const Greeting self_;
  std::vector<Visitor> visitors_, guests_;  // guests: ranks of this run
};

void Reception::serve(const Deadline& deadline) {
  std::vector<pollfd> sockets{{listener_.fd(), POLLIN, 0}};
  for (const Visitor& visitor : visitors_) sockets.push_back({visitor.socket.fd(), POLLIN, 0});
  for (const Visitor& guest : guests_) sockets.push_back({guest.socket.fd(), POLLIN, 0});
  if (poll(sockets.data(), sockets.size(), int(deadline.left().count())) <= 0) return;
  for (size_t i = 0; i < guests_.size(); ++i) {  // they have nothing to say: this one has ended
    require(sockets[1 + visitors_.size() + i].revents == 0, "rank 0: lost rank {} before the run began",
            guests_[i].greeting.rank);
  }
  for (size_t i = 0; i < visitors_.size(); ++i) {
    if (sockets[1 + i].revents != 0) listen(visitors_[i]);
  }
  if (sockets[0].revents != 0) {
    if (Socket socket = listener_.accept(); socket.defined()) {
      visitors_.push_back({.socket = std::move(socket), .greeting = {}});
      listen(visitors_.back());
    }
  }
  std::erase_if(visitors_, [](const Visitor& visitor) { return visitor.has_left; });
  if (visitors_.size() > kMaxVisitors) visitors_.erase(visitors_.begin());
}

void Reception::listen(Visitor& visitor) {
  char* const bytes = reinterpret_cast<char*>(&visitor.greeting);
  const int count =
      visitor.socket.receive_some(bytes + visitor.received, sizeof(Greeting) - visitor.received);
  visitor.has_left = count < 0;
  visitor.received += size_t(std::max(count, 0));
  if (visitor.received < sizeof(Greeting)) return;
  const Greeting& greeting = visitor.greeting;
  const bool is_ours = greeting.magic == self_.magic &&
                       std::memcmp(greeting.key, self_.key, sizeof(self_.key)) == 0 &&
                       std::memchr(greeting.gpu, 0, sizeof(greeting.gpu)) != nullptr;
  if (is_ours) {
    seat(visitor);
  } else {
    send(visitor.socket, Answer::refused);
  }
  visitor.has_left = true;  // or is a guest now
}

bool Reception::is_seated(int rank) const {
  return rank == self_.rank || std::any_of(guests_.begin(), guests_.end(),
                                           [&](const Visitor& guest) { return guest.greeting.rank == rank; });
}

void Reception::seat(Visitor& visitor) {
  const Greeting& greeting = visitor.greeting;
  require(greeting.world_size == self_.world_size,
          "rank {} belongs to a run of {} ranks, rank 0 to one of {}; start all ranks with the same number",
          greeting.rank, greeting.world_size, self_.world_size);
  require(greeting.rank >= 0 && greeting.rank < self_.world_size && !is_seated(greeting.rank),
          "two processes are rank {} of {}; start each rank once", greeting.rank, self_.world_size);
  require((greeting.gpu[0] != 0) == (self_.gpu[0] != 0),
          "rank 0 uses a {} and rank {} a {}; give all ranks the same --device",
          self_.gpu[0] != 0 ? "GPU" : "CPU", greeting.rank, greeting.gpu[0] != 0 ? "GPU" : "CPU");
  const auto shares_gpu = [&](const Greeting& other) {
    return other.gpu[0] != 0 && std::strcmp(other.gpu, greeting.gpu) == 0;
  };
  const auto found = std::find_if(guests_.begin(), guests_.end(),
                                  [&](const Visitor& guest) { return shares_gpu(guest.greeting); });
  const bool is_shared = shares_gpu(self_) || found != guests_.end();
  require(!is_shared,
          "ranks {} and {} have the same GPU ({}); start at most one rank for each GPU of a machine",
          found == guests_.end() ? 0 : found->greeting.rank, greeting.rank, greeting.gpu);
  if (!send(visitor.socket, Answer::welcome)) return;
  guests_.push_back(std::move(visitor));
}

std::string Reception::missing() const {
  std::vector<int> ranks;
  for (int rank = 1; rank < self_.world_size && ranks.size() < 8; ++rank) {
    if (!is_seated(rank)) ranks.push_back(rank);
  }
  const bool all = int(ranks.size() + guests_.size()) + 1 == self_.world_size;
  return fmt::format("{}{}", fmt::join(ranks, ", "), all ? "" : ", ...");
}

Peers Reception::start() {
  Peers peers;
  for (Visitor& guest : guests_) {
    send(guest.socket, Answer::start);  // one that is lost just now is the watchdog's business
    peers.push_back({guest.greeting.rank, std::move(guest.socket)});
  }
  return peers;
}

}  // namespace

std::string random_key() {
  std::random_device random;
  std::string key;
  for (int i = 0; i < 4; ++i) key += fmt::format("{:08x}", random());
  return key;
}

Peers meet(const Socket& listener, const Introduction& self, const Deadline& deadline) {
  Reception reception(listener, self);
  while (!reception.is_complete()) {
    require(!deadline.has_passed(),
            "rank 0: of {} ranks these did not come to port {} within {} s: {}; their own output says why",
            self.world_size, listener.port(), deadline.seconds(), reception.missing());
    reception.serve(deadline);
  }
  return reception.start();
}

Peers meet(const std::string& host, int port, const Introduction& self, const Deadline& deadline) {
  const Greeting greeting = greeting_of(self);
  std::optional<Deadline> proof;  // since something listens there that has not proved to be rank 0
  Socket socket;
  for (;;) {
    socket = Socket::connect(host, port, deadline);
    if (!socket.defined()) {
      proof.reset();
    } else if (!proof) {
      proof = deadline.at_most(kProof);
    }
    const Deadline answer = deadline.at_most(kSilence);
    if (socket.defined() && socket.send(&greeting, sizeof(greeting)) &&
        receive(socket, answer) == Answer::welcome) {
      break;
    }
    require(
        !socket.defined() || !answer.has_passed() || deadline.has_passed(),
        "rank {}: no answer within {} s from {}:{}, where something listens: rank 0 is too slow, or another "
        "program is there; --rendezvous-port takes another port",
        self.rank, answer.seconds(), host, port);
    require(!proof || !proof->has_passed(),
            "rank {}: another program or another run listens at {}:{}; --rendezvous-port takes another port",
            self.rank, host, port);
    require(!deadline.has_passed(), "rank {}: no answer from rank 0 at {}:{} within {} s", self.rank, host,
            port, deadline.seconds());
    std::this_thread::sleep_for(milliseconds(50));  // rank 0 may start later than this one
  }
  require(receive(socket, deadline) == Answer::start, "rank {}: lost rank 0 before the run began", self.rank);
  Peers peers;
  peers.push_back({0, std::move(socket)});
  return peers;
}

void broadcast(const Peers& peers, int rank, void* values, size_t bytes, const Deadline& deadline) {
  for (const Peer& peer : peers) {
    const bool done =
        rank == 0 ? peer.socket.send(values, bytes) : peer.socket.receive(values, bytes, deadline);
    require(done, "rank {}: lost rank {} before the run began", rank, peer.rank);
  }
}

}  // namespace gpt2::dist
