#include "common/app/program.h"

#include <fcntl.h>
#include <omp.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <new>
#include <system_error>

#include "common/app/interrupt.h"
#include "common/base/error.h"
#include "common/base/os.h"
#include "common/text/utf8.h"

namespace gpt2::app {
namespace {

// Restarts this program with an OpenMP setting: a waiting thread spins for microseconds, not milliseconds,
// before it sleeps. On a busy or virtual machine a spinning thread takes the core from the thread it waits
// for: a step of the tiny model took up to twenty times as long. The restart is necessary because libgomp
// reads its environment before main(). If the user has set one of the variables, nothing changes.
void limit_spinning(char** argv) {
  if (std::getenv("OMP_WAIT_POLICY") != nullptr || std::getenv("GOMP_SPINCOUNT") != nullptr) return;
  setenv("GOMP_SPINCOUNT", "1000", 1);
  setenv("KMP_BLOCKTIME", "1", 0);             // clang's libomp: milliseconds
  execv(os::executable_path().c_str(), argv);  // if the path is unknown, the program just continues
}

// Opens the standard streams that the parent has closed. Otherwise the next file opened, for example a
// checkpoint, would get the descriptor and receive the printed text. Each is opened in the wrong direction,
// so that using it is an error.
void reserve_standard_streams() {
  for (const int descriptor : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (fcntl(descriptor, F_GETFD) != -1 || errno != EBADF) continue;
    open("/dev/null",
         descriptor == STDIN_FILENO ? O_WRONLY : O_RDONLY);  // takes the lowest free descriptor: this one
  }
}

// With far more threads, the OpenMP library crashes when it starts them.
void require_possible_threads() {
  const int threads = omp_get_max_threads();
  require(threads <= int(os::kMaxProcessors),
          "OMP_NUM_THREADS is {}, more than the {} threads that a program may start; this machine has {} "
          "processors",
          threads, os::kMaxProcessors, os::allowed_processors().count());
}

// With less, kernels and libraries overflow it: the program would crash in its first step.
void require_stack() {
  constexpr rlim_t kLeast = 256 << 10;
  rlimit limit{};
  if (::getrlimit(RLIMIT_STACK, &limit) != 0) return;
  require(limit.rlim_cur >= kLeast, "the limit of the stack is {} KB; raise it with: ulimit -s 8192",
          limit.rlim_cur >> 10);
}

// OMP_THREAD_LIMIT, OMP_DYNAMIC and OMP_MAX_ACTIVE_LEVELS can give a parallel region fewer threads than
// omp_get_max_threads() says. oneDNN divides its work among the number that was said, so it would compute only a part.
void settle_threads() {
  omp_set_dynamic(0);
  int threads = 1;
#pragma omp parallel
#pragma omp single
  threads = omp_get_num_threads();
  omp_set_num_threads(threads);
}

// The reader of standard output has exited.
struct BrokenPipe {};

// Unlike fmt::print, does not throw: an error of the error stream cannot be reported.
void print_error(const std::string& program, const std::string& message) {
  const std::string line = program + ": " + printable_line(message) + "\n";
  std::fputs(line.c_str(), stderr);
}

// Ends the program, or, after the current step, the run, because standard output cannot be written.
void fail_to_print(int error) {
  if (error == EPIPE && stop_after_step(SIGPIPE)) {
    speak_only_if(false);  // the rest of the step prints nothing
    return;
  }
  if (error == EPIPE) throw BrokenPipe();
  const std::string message = fmt::format(
      "standard output: {}", error == 0       ? "write failed"
                             : error == EBADF ? "it is closed; redirect it to a file or to /dev/null"
                                              : std::strerror(error));
  if (!stop_with_error(message)) fail("{}", message);
  speak_only_if(false);
}

int run_body(CommandLine& flags, const std::function<void(CommandLine&)>& body) {
  try {
    body(flags);
  } catch (const HelpRequested& help) {
    write_output(help.text);
  } catch (const std::system_error& error) {  // fmt::print throws it without the name of the stream
    if (std::ferror(stdout) != 0) fail_to_print(error.code().value());
    if (!stop_error().empty()) fail("{}", stop_error());
    throw;
  }
  flush_output();
  if (!stop_error().empty()) fail("{}", stop_error());
  return interrupt() == 0 ? 0 : 128 + interrupt();
}

}  // namespace

void speak_only_if(bool is_master) {
  if (!is_master) require(std::freopen("/dev/null", "w", stdout) != nullptr, "cannot open /dev/null");
}

void flush_output() {
  errno = 0;
  const bool flushed = std::fflush(stdout) == 0;
  if (!flushed || std::ferror(stdout) != 0) fail_to_print(errno);
}

void write_output(std::string_view bytes) {
  errno = 0;
  if (std::fwrite(bytes.data(), 1, bytes.size(), stdout) != bytes.size()) fail_to_print(errno);
}

int run(const std::string& program, int argc, char** argv, const std::function<void(CommandLine&)>& body) {
  reserve_standard_streams();
  limit_spinning(argv);
  os::keep_freed_memory();  // oneDNN's packing buffers: otherwise the kernel clears new pages in every call
  // A write beyond the file size limit is reported as an error with the file's name, not as a signal.
  std::signal(SIGXFSZ, SIG_IGN);
  std::signal(SIGPIPE, SIG_IGN);
  try {
    require_stack();
    require_possible_threads();
    settle_threads();
    CommandLine flags(program, argc, argv);
    return run_body(flags, body);
  } catch (const BrokenPipe&) {
    return 128 + SIGPIPE;  // as if the signal had ended the program
  } catch (const std::bad_alloc&) {
    print_error(program, "out of memory; try a smaller --batch or --seq");
  } catch (const std::exception& error) {
    std::fflush(stdout);
    print_error(program, error.what());
  }
  return 1;
}

}  // namespace gpt2::app
