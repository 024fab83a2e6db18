// What other compilers, libraries and systems stumble on, found by reading the sources: a standard header that comes
// with another one here and not there, and calls that only Linux has.
#include <gtest/gtest.h>

#include <cctype>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <vector>

#include "paths.h"

namespace gpt2::testing {
namespace {

namespace fs = std::filesystem;

struct Source {
  std::string name;  // from the repository's root
  std::string code;  // without // comments
};

std::string without_comments(std::ifstream file) {
  std::string code;
  for (std::string line; std::getline(file, line);) code += line.substr(0, line.find("//")) + "\n";
  return code;
}

std::vector<Source> sources_in(const std::vector<std::string>& folders) {
  const std::set<std::string> kinds{".h", ".cpp", ".cu", ".cuh"};
  std::vector<Source> sources;
  for (const std::string& folder : folders) {
    for (const auto& entry : fs::recursive_directory_iterator(fs::path(GPT2_SOURCE_DIR) / folder)) {
      const bool is_source = kinds.count(entry.path().extension()) > 0;
      if (!is_source || entry.path().filename() == "portability_test.cpp") continue;
      sources.push_back(
          {fs::relative(entry.path(), GPT2_SOURCE_DIR), without_comments(std::ifstream(entry.path()))});
    }
  }
  return sources;
}

struct Header {
  const char* header;
  std::vector<const char*> names;  // what it declares
};

const std::vector<Header> kHeaders = {
    {"<algorithm>",
     {"std::sort",        "std::stable_sort", "std::find",      "std::find_if",     "std::count",
      "std::count_if",    "std::copy",        "std::copy_n",    "std::fill",        "std::fill_n",
      "std::reverse",     "std::shuffle",     "std::min",       "std::max",         "std::clamp",
      "std::all_of",      "std::any_of",      "std::none_of",   "std::max_element", "std::min_element",
      "std::lower_bound", "std::upper_bound", "std::transform", "std::replace",     "std::unique",
      "std::equal"}},
    {"<bit>", {"std::bit_cast", "std::countr_zero", "std::popcount", "std::has_single_bit", "std::endian"}},
    {"<chrono>", {"std::chrono"}},
    {"<cmath>", {"std::sqrt", "std::exp", "std::log", "std::pow", "std::isfinite", "std::isnan", "std::abs"}},
    {"<cstdio>", {"std::fopen", "std::fputs", "std::fwrite", "std::fflush", "std::printf", "std::puts"}},
    {"<cstdlib>", {"std::getenv", "std::strtod", "std::strtoull", "std::exit", "std::abort", "std::free"}},
    {"<cstring>", {"std::memcpy", "std::memset", "std::memmove", "std::strerror", "std::strcmp"}},
    {"<fmt/ranges.h>", {"fmt::join"}},
    {"<functional>", {"std::function"}},
    {"<iterator>", {"std::istreambuf_iterator", "std::back_inserter", "std::prev", "std::next", "std::size"}},
    {"<limits>", {"std::numeric_limits"}},
    {"<map>", {"std::map"}},
    {"<memory>", {"std::unique_ptr", "std::shared_ptr", "std::make_unique", "std::make_shared"}},
    {"<mutex>", {"std::mutex", "std::lock_guard", "std::unique_lock"}},
    {"<new>", {"std::bad_alloc"}},
    {"<numeric>", {"std::iota", "std::accumulate"}},
    {"<optional>", {"std::optional", "std::nullopt"}},
    {"<random>", {"std::mt19937", "std::mt19937_64"}},
    {"<set>", {"std::set"}},
    {"<span>", {"std::span"}},
    {"<sstream>", {"std::stringstream", "std::istringstream", "std::ostringstream"}},
    {"<string>", {"std::string", "std::to_string", "std::stoll", "std::stoi"}},
    {"<thread>", {"std::thread", "std::this_thread"}},
    {"<tuple>", {"std::tuple", "std::tie"}},
    {"<utility>", {"std::move", "std::pair", "std::exchange", "std::forward", "std::swap"}},
    {"<vector>", {"std::vector"}},
};

bool mentions(const std::string& code, const std::string& name) {
  for (size_t at = code.find(name); at != std::string::npos; at = code.find(name, at + 1)) {
    const char next = code[at + name.size()];
    if (std::isalnum(static_cast<unsigned char>(next)) == 0 && next != '_') return true;
  }
  return false;
}

// The headers that `code` includes, by itself or by way of ours; standard headers are not followed.
void add_included(const std::string& code, const fs::path& folder, std::set<std::string>& headers) {
  const std::string directive = "#include ";
  for (size_t at = code.find(directive); at != std::string::npos; at = code.find(directive, at + 1)) {
    const size_t begin = at + directive.size();
    const std::string header = code.substr(begin, code.find('\n', begin) - begin);
    if (!headers.insert(header).second || header.front() != '"') continue;
    for (const fs::path& from : {fs::path(GPT2_SOURCE_DIR), folder}) {
      const fs::path ours = from / header.substr(1, header.size() - 2);
      if (fs::exists(ours)) add_included(without_comments(std::ifstream(ours)), ours.parent_path(), headers);
    }
  }
}

TEST(Portability, EveryFileIncludesTheHeadersOfWhatItUses) {
  size_t files = 0;
  for (const Source& source : sources_in({"common", "data", "steps", "tests"})) {
    if (source.name.find("/wrong/") != std::string::npos)
      continue;  // parts of files: an exercise's wrong answers
    std::set<std::string> headers;
    add_included(source.code, (fs::path(GPT2_SOURCE_DIR) / source.name).parent_path(), headers);
    for (const Header& header : kHeaders) {
      if (headers.count(header.header) > 0) continue;
      for (const std::string name : header.names) {
        EXPECT_FALSE(mentions(source.code, name))
            << source.name << " uses " << name << " without #include " << header.header;
      }
    }
    ++files;
  }
  EXPECT_GT(files, 200u);
}

// Other systems lack these, or have them under another name or with another meaning.
constexpr const char* kOnlyOnLinux[] = {"/proc/",           "/sys/",
                                        "<linux/",          "<malloc.h>",
                                        "<sched.h>",        "<elf.h>",
                                        "SOCK_CLOEXEC",     "MSG_NOSIGNAL",
                                        "accept4",          "pipe2",
                                        "mallopt",          "malloc_trim",
                                        "madvise",          "posix_fadvise",
                                        "MAP_POPULATE",     "MAP_HUGETLB",
                                        "mremap",           "sched_",
                                        "cpu_set_t",        "getrusage",
                                        "_unlocked(",       "program_invocation",
                                        "_SC_AVPHYS_PAGES", "_SC_NPROCESSORS",
                                        "memfd_create",     "fallocate",
                                        "prctl(",           "signalfd",
                                        "get_nprocs",       "personality("};

TEST(Portability, OnlyTheSystemLayerCallsLinux) {
  size_t files = 0;
  for (const Source& source : sources_in({"common", "data", "steps"})) {
    if (source.name == "common/base/os.cpp") continue;
    for (const std::string call : kOnlyOnLinux) {
      EXPECT_EQ(source.code.find(call), std::string::npos)
          << source.name << " uses " << call << ": give common/base/os.h a function for it";
    }
    ++files;
  }
  EXPECT_GT(files, 100u);
}

}  // namespace
}  // namespace gpt2::testing
