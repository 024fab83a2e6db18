#include "common/dist/peers.h"

#include <algorithm>
#include <cstdint>
#include <thread>

#include "common/base/error.h"

namespace gpt2::dist {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

// What a rank says first, so that whoever else finds the port is not taken for one.
struct Greeting {
  uint64_t magic = 0x6770742d32646470;  // "gpt-2ddp"
  int32_t rank = 0, world_size = 0;
};

milliseconds until(steady_clock::time_point end) {
  const auto left = std::chrono::duration_cast<milliseconds>(end - steady_clock::now());
  return std::max(left, milliseconds(0));
}

}  // namespace

Peers meet(const Socket& listener, int world_size, milliseconds time) {
  const auto end = steady_clock::now() + time;
  Peers peers;
  while (int(peers.size()) + 1 < world_size) {
    Socket socket = listener.accept(until(end));
    require(socket.defined(),
            "rank 0: {} of {} ranks came to port {} within {} s; the others' output says why",
            peers.size() + 1, world_size, listener.port(), time.count() / 1000);
    Greeting greeting;
    const bool heard = socket.receive(&greeting, sizeof(greeting), milliseconds(2000));
    if (!heard || greeting.magic != Greeting().magic) continue;  // no rank
    const bool known =
        std::any_of(peers.begin(), peers.end(), [&](const Peer& peer) { return peer.rank == greeting.rank; });
    require(greeting.world_size == world_size && greeting.rank > 0 && greeting.rank < world_size && !known,
            "rank 0: rank {} of {} came to port {}, but this run has {} ranks, {}; another run's? "
            "--rendezvous-port takes another port",
            greeting.rank, greeting.world_size, listener.port(), world_size,
            known ? "and that one already" : "none with that number");
    peers.push_back({greeting.rank, std::move(socket)});
  }
  return peers;
}

Peers meet(const std::string& host, int port, int rank, int world_size, milliseconds time) {
  const auto end = steady_clock::now() + time;
  const Greeting greeting{.rank = rank, .world_size = world_size};
  Socket socket = Socket::connect(host, port);
  while (!socket.defined() && until(end).count() > 0) {
    std::this_thread::sleep_for(milliseconds(50));  // rank 0 may start later than this one
    socket = Socket::connect(host, port);
  }
  require(socket.defined() && socket.send(&greeting, sizeof(greeting)),
          "rank {}: no answer from rank 0 at {}:{} within {} s", rank, host, port, time.count() / 1000);
  Peers peers;
  peers.push_back({0, std::move(socket)});
  return peers;
}

void broadcast(const Peers& peers, int rank, void* values, size_t bytes) {
  for (const Peer& peer : peers) {
    const bool done =
        rank == 0 ? peer.socket.send(values, bytes) : peer.socket.receive(values, bytes, kMeetingTime);
    require(done, "rank {}: lost rank {} before the run began", rank, peer.rank);
  }
}

}  // namespace gpt2::dist
