// How ranks find one another: a TCP connection between rank 0 and each of the others. Over it rank 0 hands
// out what a library needs to connect all ranks (NCCL's id); afterwards the watchdog listens to it.
//
// Anybody may connect to rank 0's port: a port scanner, a rank of another run, a program that says nothing.
// Each rank therefore shows the run's key first. Whoever does not is dropped; meanwhile rank 0 serves the
// others, and one deadline bounds the whole meeting.
//
// since 12_ddp
#pragma once

#include <string>
#include <vector>

#include "common/dist/socket.h"

namespace gpt2::dist {

struct Peer {
  int rank = 0;
  Socket socket;
};

// Rank 0 has a peer for each other rank; each of those has one, rank 0.
using Peers = std::vector<Peer>;

// A rank as it introduces itself.
struct Introduction {
  std::string key;  // the ranks of one run share it; at most 255 characters count
  int rank = 0, world_size = 1;
  std::string gpu;  // identifies the GPU that the rank uses, over all machines; empty on the CPU
};

// 128 random bits as text: a key that nobody guesses.
std::string random_key();

// Rank 0: waits at `listener` for the other ranks. Throws if a rank is missing at the deadline, if one is lost
// meanwhile, if two ranks have the same number or the same GPU, or if one has another world size.
Peers meet(const Socket& listener, const Introduction& self, const Deadline& deadline);

// The other ranks: meet rank 0, which listens at this address or will before the deadline. Returns when all
// ranks have come. Throws if there is no answer, or if what listens there is not rank 0 of this run.
Peers meet(const std::string& host, int port, const Introduction& self, const Deadline& deadline);

// Copies rank 0's values to every rank. Throws if a rank is lost.
void broadcast(const Peers& peers, int rank, void* values, size_t bytes, const Deadline& deadline);

}  // namespace gpt2::dist
