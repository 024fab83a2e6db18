#include "common/base/os.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "paths.h"
#include "tests/common/files.h"

namespace gpt2::testing {
namespace {

TEST(OperatingSystem, KnowsTheProgram) {
  EXPECT_EQ(os::executable_path(), std::filesystem::canonical(GPT2_BIN_DIR "/common_test").string());
  EXPECT_EQ(os::program_name(), "common_test");
}

TEST(OperatingSystem, KnowsTheProcessors) {
  EXPECT_FALSE(os::processor_name().empty());
  EXPECT_GT(os::processor_name().front(), ' ') << os::processor_name();
  EXPECT_GE(os::allowed_processors().count(), 1u);
  EXPECT_LE(os::allowed_processors().count(), size_t(sysconf(_SC_NPROCESSORS_CONF)));
}

TEST(OperatingSystem, KnowsTheMemory) {
  constexpr size_t kMegabyte = 1 << 20, kBytes = 64 * kMegabyte;
  EXPECT_GT(os::available_memory_bytes(), 16 * kMegabyte);
  EXPECT_LE(os::available_memory_bytes(), size_t(sysconf(_SC_PHYS_PAGES)) * size_t(sysconf(_SC_PAGESIZE)));
  const size_t before = os::peak_memory_bytes();
  EXPECT_GT(before, kMegabyte);
  {
    std::vector<char> touched(before + kBytes, 'x');
    ASSERT_EQ(touched.back(), 'x');
  }
  const size_t after = os::peak_memory_bytes();
  EXPECT_GE(after, before + kBytes / 2);
  EXPECT_LE(after, 3 * (before + kBytes));  // bytes, not KiB
}

TEST(OperatingSystem, AdviceChangesNoValue) {
  const size_t bytes = 4 << 20;
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(memory, MAP_FAILED);
  std::memset(memory, 7, bytes);
  os::prefer_huge_pages(memory, bytes);
  EXPECT_EQ(static_cast<char*>(memory)[bytes - 1], 7);
  munmap(memory, bytes);
  os::keep_freed_memory();

  const TempDir folder;
  const std::string path = folder / "file";
  std::ofstream(path) << "abc";
  const int file = open(path.c_str(), O_RDONLY);
  os::read_ahead(file, 1, 1 << 30);  // beyond the end
  char text[3];
  EXPECT_EQ(read(file, text, 3), 3);
  EXPECT_EQ(std::string(text, 3), "abc");
  close(file);
  os::read_ahead(-1, 0, 1);  // not a file
}

bool closes_on_exec(int descriptor) { return (fcntl(descriptor, F_GETFD) & FD_CLOEXEC) != 0; }

// A listening socket on a port of its own choice, a client and the server's end.
struct Connection {
  int listener, client, server;

  Connection()
      : listener(os::open_socket(AF_INET, SOCK_STREAM, 0)), client(os::open_socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    auto* any = reinterpret_cast<sockaddr*>(&address);
    socklen_t size = sizeof(address);
    EXPECT_EQ(bind(listener, any, size), 0);
    EXPECT_EQ(listen(listener, 1), 0);
    EXPECT_EQ(getsockname(listener, any, &size), 0);
    EXPECT_EQ(connect(client, any, size), 0);
    server = os::accept_on(listener);
  }
  ~Connection() {
    for (const int socket : {listener, client, server}) close(socket);
  }
};

TEST(OperatingSystem, ChildrenInheritNoSocketAndNoPipe) {
  const Connection connection;
  for (const int socket : {connection.listener, connection.client, connection.server}) {
    ASSERT_GE(socket, 0) << std::strerror(errno);
    EXPECT_TRUE(closes_on_exec(socket));
  }
  int ends[2];
  ASSERT_EQ(os::open_pipe(ends), 0);
  for (const int end : ends) {
    EXPECT_TRUE(closes_on_exec(end));
    close(end);
  }
}

// SIGPIPE would end this test's process.
TEST(OperatingSystem, SendingToAClosedConnectionIsAnErrorAndNoSignal) {
  const Connection connection;
  EXPECT_EQ(os::send_quietly(connection.client, "x", 1, /*wait=*/true), 1);
  shutdown(connection.client, SHUT_WR);
  EXPECT_EQ(os::send_quietly(connection.client, "x", 1, /*wait=*/true), -1);
  EXPECT_EQ(errno, EPIPE);
}

TEST(OperatingSystem, SendingWithoutWaitingStopsAtAFullBuffer) {
  const Connection connection;
  const std::vector<char> bytes(1 << 20);
  ssize_t sent = 0;
  for (int i = 0; i < 1000 && sent >= 0; ++i) {
    sent = os::send_quietly(connection.client, bytes.data(), bytes.size(), /*wait=*/false);
  }
  EXPECT_EQ(sent, -1);
  EXPECT_EQ(errno, EAGAIN);
}

}  // namespace
}  // namespace gpt2::testing
