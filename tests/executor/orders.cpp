// Two ranks train a step's program again and again, each time with another order of their streams' work (queue.h):
// losses, norms and weights must not differ in a bit from those in the order of submission.
//
//   mpirun -n 2 orders RUN ORDERS [BUG]     RUN: see kRuns; BUG: see planted_calls.cpp
//
// The first difference ends the program: ranks that have diverged cannot be relied on to meet again.
#include "tests/executor/orders.h"

#include <fmt/core.h>

#include <chrono>
#include <cstdlib>
#include <cstring>
#include <exception>

#include "tests/common/files.h"
#include "tests/executor/planted_calls.h"
#include "tests/executor/runtime.h"

namespace {

using orders::Flags;
using orders::Result;

// Graphs are recorded in the third step, and replayed from then on.
const struct {
  const char* name;
  std::unique_ptr<orders::Training> (*train)(const gpt2::dist::ProcessGroup&, const Flags&);
  Flags flags;
} kRuns[] = {
    {"12_ddp_fp32", orders::train_12, {"--dtype", "fp32", "--steps", "2", "--total-batch", "32"}},
    {"12_ddp_bf16", orders::train_12, {"--dtype", "bf16", "--steps", "2", "--total-batch", "32"}},
    {"12_ddp_many_batches", orders::train_12, {"--dtype", "fp32", "--steps", "1", "--total-batch", "160"}},
    {"14_launches",
     orders::train_14,
     {"--cuda-graph", "off", "--dropout", "0.1", "--steps", "4", "--total-batch", "48"}},
    {"14_graphs",
     orders::train_14,
     {"--cuda-graph", "on", "--dropout", "0.1", "--steps", "4", "--total-batch", "48"}},
};

std::unique_ptr<orders::Training> make(const std::string& name, const gpt2::dist::ProcessGroup& group,
                                       const std::string& log) {
  for (const auto& [run, train, its_flags] : kRuns) {
    if (name != run) continue;
    Flags flags = its_flags;
    for (const char* flag : {"--device", "cuda", "--batch", "1", "--seq", "8"}) flags.push_back(flag);
    if (group.is_master()) flags.insert(flags.end(), {"--log", log});
    return train(group, flags);
  }
  gpt2::fail("there is no run named '{}'", name);
}

size_t count_differences(const Result& a, const Result& b) {
  if (a.size() != b.size()) return std::max(a.size(), b.size());
  size_t different = 0;
  for (size_t i = 0; i < a.size(); ++i) different += std::memcmp(&a[i], &b[i], sizeof a[i]) != 0;
  return different;
}

// Nothing is unwound after an error: the group would wait for the other rank, which may have diverged. mpirun ends it.
[[noreturn]] void end_with(const std::exception& error) {
  fmt::print(stderr, "orders: {}\n", error.what());
  std::_Exit(1);
}

void compare(orders::Training& training, uint64_t count, int rank, const std::string& bug) {
  const Result expected = training.run();
  planted::bug = bug;
  for (uint64_t seed = 1; seed <= count; ++seed) {
    executor::order_streams(seed, rank);
    const size_t different = count_differences(training.run(), expected);
    gpt2::require(different == 0, "rank {}, order {}: {} of {} values differ", rank, seed, different,
                  expected.size());
  }
  executor::order_streams(0);
}

void compare_orders(const std::string& name, uint64_t count, const std::string& bug) {
  const gpt2::dist::ProcessGroup group({gpt2::DeviceType::cuda, 0});
  const auto begin = std::chrono::steady_clock::now();
  try {
    gpt2::require(bug.empty() || planted::exists(bug), "there is no bug named '{}'", bug);
    gpt2::require(group.world_size() == 2, "start two ranks, with mpirun -n 2");
    gpt2::app::speak_only_if(false);  // rather than a line for each step
    const gpt2::testing::TempDir folder;
    const auto training = make(name, group, folder / "log.jsonl");
    compare(*training, count, group.rank(), bug);
  } catch (const std::exception& error) {
    end_with(error);
  }
  const std::chrono::duration<double> time = std::chrono::steady_clock::now() - begin;
  if (!group.is_master()) return;
  fmt::print(stderr, "{}: losses, norms and weights are the same in {} orders; {:.1f} s\n", name, count,
             time.count());
}

}  // namespace

int main(int argc, char** argv) {
  try {
    gpt2::require(argc == 3 || argc == 4, "usage: mpirun -n 2 orders RUN ORDERS [BUG]");
    compare_orders(argv[1], std::strtoull(argv[2], nullptr, 10), argc == 4 ? argv[3] : "");
    return 0;
  } catch (const std::exception& error) {
    end_with(error);
  }
}
