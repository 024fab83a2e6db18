// Given: ranks in a ring. Each rank is a thread, which sees nothing of the others except what it receives.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

struct Ring;

// A rank's connections: it sends to the rank after it and receives from the rank before it. The last rank
// sends to rank 0.
class Neighbours {
 public:
  Neighbours(Ring& ring, int rank) : ring_(ring), rank_(rank) {}

  int rank() const { return rank_; }
  int ranks() const;
  void send(std::span<const float> values);     // returns at once; the values may change afterwards
  void receive(std::span<float> values) const;  // waits; throws if the next message has another size

 private:
  Ring& ring_;
  int rank_;
};

// What the ranks have at the end, and how many floats each has sent.
struct Reduced {
  std::vector<std::vector<float>> x;
  std::vector<int64_t> floats_sent;
};

// Runs work(x[rank], neighbours) on all ranks at once. Throws if a rank throws, if ranks wait for messages
// that nobody sends, or if messages are left.
Reduced run_ranks(std::vector<std::vector<float>> x,
                  const std::function<void(std::span<float>, Neighbours&)>& work);
