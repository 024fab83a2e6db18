// A program for launch_test.cpp: ranks that meet in one collective after the other, until one of them is
// lost.
//
//   lost_rank cpu|cuda kill|stop|throw|none RANK     RANK -1: each of them
#include <omp.h>

#include <csignal>
#include <cstdlib>
#include <thread>

#include "common/app/program.h"
#include "common/dist/process_group.h"

namespace {

using namespace gpt2;

void lose(const std::string& how) {
  if (how == "kill") std::raise(SIGKILL);
  if (how == "stop") std::raise(SIGSTOP);
  if (how == "throw") fail("a shard is short");
}

void run(Device device, const std::string& how, int who) {
  const dist::ProcessGroup group(device, {.meeting_time = std::chrono::seconds(20),
                                          .init_time = std::chrono::seconds(8),
                                          .patience = std::chrono::seconds(2)});
  const Tensor x = empty({1000}, group.device());
  zero_(x);
  for (int i = 0; i < 20; ++i) {
    group.all_reduce(x);
    group.barrier();
    if (i == 10 && (who == group.rank() || who < 0)) lose(how);
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  if (group.is_master()) fmt::print("{} ranks, {} threads\n", group.world_size(), omp_get_max_threads());
}

}  // namespace

int main(int argc, char** argv) {
  return app::run("lost_rank", argc, argv, [&](app::CommandLine&) {
    require(argc == 4, "lost_rank cpu|cuda kill|stop|throw|none RANK");
    run(parse_device(argv[1]), argv[2], std::atoi(argv[3]));
  });
}
