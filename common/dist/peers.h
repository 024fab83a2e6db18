// How ranks find one another: a TCP connection between rank 0 and each of the others. Over it rank 0 hands
// out what a library needs to connect all ranks (NCCL's id); afterwards the watchdog listens to it.
//
// since 12_ddp
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "common/dist/socket.h"

namespace gpt2::dist {

inline constexpr std::chrono::seconds kMeetingTime{60};  // a machine may be a minute late

struct Peer {
  int rank = 0;
  Socket socket;
};

// Rank 0 has a peer for each other rank; each of those has one, rank 0.
using Peers = std::vector<Peer>;

// Rank 0: the peers that come to `listener` within the time. Fails if one is missing then.
Peers meet(const Socket& listener, int world_size, std::chrono::milliseconds time = kMeetingTime);

// The others: rank 0, which listens there or will within the time. Fails if there is no answer.
Peers meet(const std::string& host, int port, int rank, int world_size,
           std::chrono::milliseconds time = kMeetingTime);

// Gives every rank the values that rank 0 has.
void broadcast(const Peers& peers, int rank, void* values, size_t bytes);

}  // namespace gpt2::dist
