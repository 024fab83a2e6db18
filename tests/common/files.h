// Helpers for tests of files: a temporary folder, bytes on disk, one-line errors.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/error.h"

namespace gpt2::testing {

class TempDir {
 public:
  TempDir() {
    std::string name = (std::filesystem::temp_directory_path() / "gpt2_test_XXXXXX").string();
    if (!::mkdtemp(name.data())) throw std::runtime_error("cannot make a temporary folder");
    path_ = name;
  }
  ~TempDir() { std::filesystem::remove_all(path_); }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  std::string operator/(const std::string& name) const { return (path_ / name).string(); }
  std::string path() const { return path_.string(); }

  // Returns the names in the folder, sorted.
  std::vector<std::string> names() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(path_))
      names.push_back(entry.path().filename().string());
    std::sort(names.begin(), names.end());
    return names;
  }

 private:
  std::filesystem::path path_;
};

inline void put_file(const std::string& path, std::string_view bytes) {
  std::ofstream file(path, std::ios::binary);
  file.write(bytes.data(), static_cast<std::streamsize>(bytes.size())).flush();
  ASSERT_TRUE(file.good()) << path;
}

inline std::string file_bytes(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file.good()) << path;
  return {std::istreambuf_iterator<char>(file), {}};
}

inline std::span<const std::byte> as_bytes(std::string_view text) { return std::as_bytes(std::span(text)); }

// Returns the message of the Error that `action` throws. If it throws no Error, or the message has several
// lines, the test fails and the result is "".
template <class Action>
std::string error_of(Action action) {
  try {
    action();
  } catch (const Error& error) {
    const std::string message = error.what();
    for (const unsigned char c : message) EXPECT_TRUE(c >= 0x20 && c != 0x7f) << "not one line: " << message;
    return message;
  }
  ADD_FAILURE() << "no Error was thrown";
  return "";
}

}  // namespace gpt2::testing

// EXPECT_ERROR(statement, "text"): the statement throws a one-line Error that contains the text.
#define EXPECT_ERROR(statement, text)                                                                   \
  do {                                                                                                  \
    const std::string error_message = ::gpt2::testing::error_of([&] { static_cast<void>(statement); }); \
    EXPECT_NE(error_message.find(text), std::string::npos)                                              \
        << "expected: " << (text) << "\n  actual: " << error_message;                                   \
  } while (false)
