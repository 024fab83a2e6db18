// The operating system: everything that differs between POSIX systems is declared here. Only os.cpp contains
// Linux calls (a test checks this). To build on another system, write an os.cpp for it.
//
// since 01_module; sockets since 12_ddp, reading ahead since 13_fineweb
#pragma once

#include <sys/types.h>

#include <bitset>
#include <cstddef>
#include <cstdint>
#include <string>

namespace gpt2::os {

// The absolute path of the running program; empty if it is unknown (Linux without /proc).
std::string executable_path();

// The program's name without folders, as the system knows it.
std::string program_name();

// The CPU's name, "AMD EPYC 9654 96-Core Processor"; if it is unknown, the architecture: "aarch64".
std::string processor_name();

// The same for all processes on this machine, also in containers with host names of their own, which share its GPUs;
// another machine has another one. Empty if the system tells none.
std::string machine_id();

// The CPU cores (hardware threads) that this process may run on, at least one.
constexpr size_t kMaxProcessors = 1024;
using Processors = std::bitset<kMaxProcessors>;
Processors allowed_processors();

// Bytes that can still be allocated without swapping.
size_t available_memory_bytes();

// The peak physical memory of this process, in bytes.
size_t peak_memory_bytes();

// Makes malloc keep freed memory, up to 1 GiB, for later calls, so that it does not return pages and map new
// ones.
void keep_freed_memory();

// Requests huge pages for [memory, memory + bytes), which starts on a page. The system may ignore it.
void prefer_huge_pages(void* memory, size_t bytes);

// Starts reading [offset, offset + bytes) of the open file into the system's cache. The system may ignore it.
void read_ahead(int descriptor, int64_t offset, int64_t bytes);

// socket(), accept() and pipe(), with the same results and errno; child programs do not inherit these
// descriptors.
int open_socket(int family, int type, int protocol);
int accept_on(int socket);
int open_pipe(int ends[2]);

// send(), but a closed connection is an error result, not a signal. Without `wait`, a full buffer is an error
// (EAGAIN).
ssize_t send_quietly(int socket, const void* bytes, size_t count, bool wait);

}  // namespace gpt2::os
