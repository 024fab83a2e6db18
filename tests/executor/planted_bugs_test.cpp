// Each bug of planted_bugs.cu and planted_stream_bugs.cu is caught, by the build that is meant to catch it and with a message that names
// it; and the same kernel without the bug passes in that build.
#include <gtest/gtest.h>
#include <sys/personality.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <ostream>
#include <string>
#include <vector>

namespace {

struct Outcome {
  bool success;  // exit status 0
  std::string output;
};

// Runs `program`, standard error among its output. Without address randomisation, which ThreadSanitizer's
// older versions need on some kernels, and without the caller's sanitizer options.
Outcome run(const std::string& program, const std::string& bug, bool fixed, const char* seed) {
  int ends[2];
  if (pipe(ends) != 0) return {false, "no pipe"};
  const pid_t child = fork();
  if (child == 0) {
    personality(ADDR_NO_RANDOMIZE);
    dup2(ends[1], STDOUT_FILENO);
    dup2(ends[1], STDERR_FILENO);
    close(ends[0]);
    close(ends[1]);
    for (const char* name : {"UBSAN_OPTIONS", "TSAN_OPTIONS"}) unsetenv(name);
    setenv("ASAN_OPTIONS", "detect_leaks=0", 1);
    setenv("EXECUTOR_SEED", seed, 1);
    execl(program.c_str(), program.c_str(), bug.c_str(), fixed ? "--fixed" : nullptr, nullptr);
    _exit(127);
  }
  close(ends[1]);
  std::string output;
  std::array<char, 4096> buffer;
  for (ssize_t n; (n = read(ends[0], buffer.data(), buffer.size())) > 0;)
    output.append(buffer.data(), size_t(n));
  close(ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  return {WIFEXITED(status) && WEXITSTATUS(status) == 0, output};
}

enum Build { plain, plain_in_random_order, address_sanitizer, thread_sanitizer, traced, streams };

constexpr const char* kPrograms[] = {PLANTED_BUGS_PLAIN, PLANTED_BUGS_PLAIN,  PLANTED_BUGS_ASAN,
                                     PLANTED_BUGS_TSAN,  PLANTED_BUGS_TRACED, PLANTED_STREAM_BUGS};

struct Case {
  const char* bug;
  Build build;
  std::vector<std::string> message;  // pieces of it
};

void PrintTo(const Case& planted, std::ostream* out) { *out << planted.bug; }

const std::vector<Case> kCases = {
    {"global_out_of_bounds", address_sanitizer, {"heap-buffer-overflow", "global_out_of_bounds"}},
    {"dynamic_shared_out_of_bounds", address_sanitizer, {"heap-buffer-overflow"}},
    {"static_shared_out_of_bounds", address_sanitizer, {"runtime error: index 64 out of bounds"}},
#ifndef __clang__  // which does not look at the alignment of a structure that it copies
    {"misaligned_load", address_sanitizer, {"runtime error: ", "misaligned address", "int4"}},
#endif
    {"missing_syncthreads", plain, {"wrong result: out[0] is 0"}},
    {"missing_syncthreads", thread_sanitizer, {"data race", "missing_syncthreads"}},
    {"missing_syncwarp", thread_sanitizer, {"data race", "missing_syncwarp"}},
    {"missing_second_syncwarp", thread_sanitizer, {"data race", "missing_second_syncwarp"}},
    {"shuffle_as_barrier", thread_sanitizer, {"data race", "shuffle_as_barrier"}},
    {"barrier_for_some",
     plain,
     {"divergence: ", "thread (0,0,0) waits at the barrier of ", "planted_bugs.cu:",
      "thread (5,0,0) has returned", "::barrier_for_some(bool, float*, float const*), block (1,0,0)"}},
    {"two_barriers_for_one",
     plain,
     {"divergence: ", "thread (5,0,0) waits at the barrier of ", "block (0,0,0)"}},
    {"barrier_against_syncwarp",
     plain,
     {"divergence: ", "waits at the barrier of ", "thread (5,0,0) waits at ", "for lanes 0xffffffff",
      "block (0,0,0)"}},
    {"mask_without_caller",
     plain,
     {"wrong mask: 0xfffffffe at ", "leaves out the calling lane", "mask_without_caller",
      "block (0,0,0), thread (0,0,0)"}},
    {"mask_with_returned_lane",
     plain,
     {"thread (0,0,0) waits at ", "for lanes 0xffffffff", "thread (16,0,0) has returned", "block (0,0,0)"}},
    {"masks_that_differ",
     plain,
     {"wrong mask: ", "0xc0000000", "0xffffffff", "block (0,0,0), thread (31,0,0)"}},
    {"shuffle_from_outside_mask",
     plain,
     {"wrong mask: 0x0000ffff at ", "leaves out lane 16", "block (0,0,0), thread (0,0,0)"}},
    {"unwritten_global", plain, {"wrong result: out[5] is nan"}},
    {"unwritten_dynamic_shared", plain, {"wrong result: out[69] is nan"}},
    {"unwritten_static_shared", plain, {"wrong result: out[69] is nan"}},
    {"unwritten_static_shared_of_template", plain, {"wrong result: out[69] is nan"}},
    {"unwritten_static_shared_of_header", plain, {"wrong result: out[69] is nan"}},
    {"blocks_in_order", plain_in_random_order, {"wrong result: out[0] is 0"}},
    {"host_pointer", plain, {"host_pointer(", "is handed a pointer to ordinary host memory"}},
    {"global_out_of_bounds",
     traced,
     {"out of bounds: the thread reads 4 bytes at byte 512 of an allocation of 512 bytes",
      "block (1,0,0), thread (63,0,0)"}},
    {"dynamic_shared_out_of_bounds",
     traced,
     {"out of bounds: the thread writes byte 256 of 256 bytes of dynamic shared memory", "thread (63,0,0)"}},
    {"static_shared_out_of_bounds",
     traced,
     {"out of bounds: index 64 of an array at ", "planted_bugs.cu:", "thread (63,0,0)"}},
    {"misaligned_load",
     traced,
     {"misaligned: the thread accesses 16 bytes", "block (0,0,0), thread (0,0,0)"}},
    {"missing_syncthreads",
     traced,
     {"race: the thread writes shared memory", "that thread (31,0,0) of its block reads",
      "no barrier lies between"}},
    {"missing_syncwarp", traced, {"race: ", "no barrier lies between"}},
    {"missing_second_syncwarp", traced, {"race: the thread reads shared memory", "of its block writes"}},
    {"shuffle_as_barrier", traced, {"race: ", "no barrier lies between"}},
    {"blocks_in_order",
     traced,
     {"race: the thread writes global memory", "another block", "nothing orders two blocks"}},
    {"missing_event", streams, {"wrong result in a random order"}},
    {"event_recorded_too_early", streams, {"wrong result in a random order"}},
    {"event_waited_for_before_its_record", streams, {"wrong result in a random order"}},
    {"buffer_reused_too_early", streams, {"wrong result in a random order"}},
    {"host_buffer_changed_before_the_copy", streams, {"wrong result in a random order"}},
    {"pageable_buffer_changed_before_the_copy", streams, {"wrong result in a random order"}},
    {"read_on_the_host_without_synchronising", streams, {"wrong result in a random order"}},
    {"synchronised_with_another_stream", streams, {"wrong result in a random order"}},
    {"memcpy_beside_a_stream", streams, {"wrong result in a random order"}},
    {"missing_event_in_a_graph", streams, {"wrong result in a random order"}},
    {"host_buffer_changed_before_the_replay", streams, {"wrong result in the order of submission"}},
    {"allocation_in_a_capture", streams, {"error: ", "operation not permitted when stream is capturing"}},
    {"synchronisation_in_a_capture", streams, {"operation not permitted when stream is capturing"}},
    {"query_in_a_capture", streams, {"operation not permitted when stream is capturing"}},
    {"pageable_copy_in_a_capture", streams, {"operation not permitted when stream is capturing"}},
    {"event_from_before_the_capture", streams, {"dependency created on uncaptured work in another stream"}},
    {"stream_left_behind_by_a_capture", streams, {"capturing stream has unjoined work"}},
};

class PlantedBug : public testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
    if (GetParam().build != thread_sanitizer) return;
    const Outcome control = run_it(/*fixed=*/true);
    if (control.output.find("unexpected memory mapping") != std::string::npos) {
      GTEST_SKIP() << "ThreadSanitizer does not start on this machine";
    }
  }
  Outcome run_it(bool fixed) {
    const char* seed = GetParam().build == plain_in_random_order ? "1" : "0";
    return run(kPrograms[GetParam().build], GetParam().bug, fixed, seed);
  }
};

TEST_P(PlantedBug, IsCaught) {
  const Outcome outcome = run_it(/*fixed=*/false);
  EXPECT_FALSE(outcome.success);
  for (const std::string& piece : GetParam().message) {
    EXPECT_NE(outcome.output.find(piece), std::string::npos) << "no '" << piece << "' in\n" << outcome.output;
  }
}

TEST_P(PlantedBug, OnceFixedIsNotReported) {
  const Outcome outcome = run_it(/*fixed=*/true);
  EXPECT_TRUE(outcome.success);
  EXPECT_EQ(outcome.output, "right result\n");
}

std::string test_name(const testing::TestParamInfo<Case>& info) {
  const char* builds[] = {"", "_random_order", "_asan", "_tsan", "_traced", ""};
  return std::string(info.param.bug) + builds[info.param.build];
}

INSTANTIATE_TEST_SUITE_P(Executor, PlantedBug, testing::ValuesIn(kCases), test_name);

}  // namespace
