#include "common/base/os.h"

#ifndef __linux__
#error \
    "common/base/os.cpp is written for Linux: write its functions for this system (docs/platforms.md names the calls)"
#endif

#include <fcntl.h>
#include <malloc.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>

namespace gpt2::os {
namespace {

// What follows `key` and a colon in a file of /proc; empty if there is no such line.
std::string value_in(const char* path, const std::string& key) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with(key)) continue;
    const size_t colon = line.find(':');
    const size_t begin = line.find_first_not_of(" \t", colon + 1);
    return begin == std::string::npos ? "" : line.substr(begin);
  }
  return "";
}

}  // namespace

std::string executable_path() {
  std::error_code none;
  return std::filesystem::read_symlink("/proc/self/exe", none);
}

std::string program_name() { return program_invocation_short_name; }

std::string processor_name() {
  const std::string name = value_in("/proc/cpuinfo", "model name");  // arm64's has no such line
  if (!name.empty()) return name;
  utsname system{};
  return uname(&system) == 0 ? system.machine : "CPU";
}

Processors allowed_processors() {
  Processors allowed;
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof(set), &set) == 0) {
    for (size_t i = 0; i < kMaxProcessors && i < CPU_SETSIZE; ++i) allowed[i] = CPU_ISSET(i, &set);
  }
  if (allowed.none()) allowed[0] = true;
  return allowed;
}

size_t available_memory_bytes() {
  const std::string kibibytes = value_in("/proc/meminfo", "MemAvailable");
  if (!kibibytes.empty()) return size_t(std::stoull(kibibytes)) * 1024;
  return size_t(sysconf(_SC_AVPHYS_PAGES)) * size_t(sysconf(_SC_PAGESIZE));
}

size_t peak_memory_bytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return size_t(usage.ru_maxrss) * 1024;  // KiB here, bytes on a Mac
}

void keep_freed_memory() {
  mallopt(M_MMAP_THRESHOLD, 1 << 30);
  mallopt(M_TRIM_THRESHOLD, 1 << 30);
}

void prefer_huge_pages(void* memory, size_t bytes) { madvise(memory, bytes, MADV_HUGEPAGE); }

void read_ahead(int descriptor, int64_t offset, int64_t bytes) {
  posix_fadvise(descriptor, offset, bytes, POSIX_FADV_WILLNEED);
}

int open_socket(int family, int type, int protocol) {
  return ::socket(family, type | SOCK_CLOEXEC, protocol);
}

int accept_on(int socket) { return accept4(socket, nullptr, nullptr, SOCK_CLOEXEC); }

int open_pipe(int ends[2]) { return pipe2(ends, O_CLOEXEC); }

ssize_t send_quietly(int socket, const void* bytes, size_t count, bool wait) {
  return ::send(socket, bytes, count, MSG_NOSIGNAL | (wait ? 0 : MSG_DONTWAIT));
}

}  // namespace gpt2::os
