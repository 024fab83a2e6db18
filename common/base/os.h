// The operating system: everything that POSIX and the C++ library leave to each system is here, and Linux's calls
// are in os.cpp and nowhere else (a test looks). To build on another system, write os.cpp for it.
//
// since 01_module; sockets since 12_ddp, reading ahead since 13_fineweb
#pragma once

#include <sys/types.h>

#include <bitset>
#include <cstddef>
#include <cstdint>
#include <string>

namespace gpt2::os {

// The absolute path of the running program; empty if the system does not tell (Linux without /proc).
std::string executable_path();

// The program's name without folders, as the system knows it.
std::string program_name();

// The processor's name, "AMD EPYC 9654 96-Core Processor"; where the system tells none, its architecture: "aarch64".
std::string processor_name();

// The processors that this process may run on, at least one of them.
constexpr size_t kMaxProcessors = 1024;
using Processors = std::bitset<kMaxProcessors>;
Processors allowed_processors();

// Bytes that can still be allocated without swapping.
size_t available_memory_bytes();

// The most physical memory that this process has had, in bytes.
size_t peak_memory_bytes();

// From now on malloc keeps what is freed, up to 1 GiB, for the next call: it neither gives pages back nor maps anew.
void keep_freed_memory();

// Asks for huge pages under [memory, memory + bytes), which starts on a page. Advice: it may change nothing.
void prefer_huge_pages(void* memory, size_t bytes);

// Starts to read [offset, offset + bytes) of the open file into the system's cache. Advice: it may change nothing.
void read_ahead(int descriptor, int64_t offset, int64_t bytes);

// Sockets and pipes that a program started by this one does not inherit. Results and errno as those of socket(),
// accept() and pipe().
int open_socket(int family, int type, int protocol);
int accept_on(int socket);
int open_pipe(int ends[2]);

// send() that reports a closed connection by its result and not by a signal; without `wait`, a full buffer is an error
// (EAGAIN).
ssize_t send_quietly(int socket, const void* bytes, size_t count, bool wait);

}  // namespace gpt2::os
