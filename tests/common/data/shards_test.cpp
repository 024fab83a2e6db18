#include "common/data/shards.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <numeric>
#include <thread>

#include "tests/common/files.h"

namespace gpt2 {
namespace {

using testing::as_bytes;
using testing::error_of;
using testing::file_bytes;
using testing::put_file;
using testing::TempDir;

using Ids = std::vector<uint16_t>;

Ids some_ids(size_t n) {
  Ids ids(n);
  for (size_t i = 0; i < n; ++i) ids[i] = uint16_t(i * 7919 % 50257);
  return ids;
}

std::string bytes_of(const Ids& ids) { return {reinterpret_cast<const char*>(ids.data()), 2 * ids.size()}; }

// A .bin shard's bytes from its parts, without the help of the writer.
std::string bin_of(const Ids& ids, int32_t magic = 20240520, int32_t version = 1) {
  int32_t header[256] = {magic, version, int32_t(ids.size())};
  return std::string(reinterpret_cast<const char*>(header), sizeof header) + bytes_of(ids);
}

std::string npy_of(const Ids& ids, const std::string& descr = "<u2", std::string shape = "") {
  if (shape.empty()) shape = std::to_string(ids.size()) + ",";
  const std::string header =
      "{'descr': '" + descr + "', 'fortran_order': False, 'shape': (" + shape + "), }\n";
  const auto length = static_cast<uint16_t>(header.size());
  std::string bytes("\x93NUMPY\x01\x00\x00\x00", 10);
  std::memcpy(bytes.data() + 8, &length, sizeof length);
  return bytes + header + bytes_of(ids);
}

std::vector<int32_t> read(const TokenSource& source, int64_t begin, int64_t n) {
  std::vector<int32_t> ids(static_cast<size_t>(n));
  source.read(begin, ids);
  return ids;
}

TEST(Shards, BothFormatsGiveTheirIds) {
  const TempDir dir;
  for (const size_t n : {0, 1, 2, 2047, 2048, 2049, 10'000}) {
    const Ids ids = some_ids(n);
    put_file(dir / "a.bin", bin_of(ids));
    put_file(dir / "a.npy", npy_of(ids));
    for (const char* name : {"a.bin", "a.npy"}) {
      TokenShard shard(dir / name, 50257);
      ASSERT_EQ(shard.size(), int64_t(n)) << name;
      EXPECT_NO_THROW(shard.check());
      EXPECT_EQ(read(shard, 0, int64_t(n)), std::vector<int32_t>(ids.begin(), ids.end()));
      if (n <= 5) continue;
      EXPECT_EQ(read(shard, 3, 2), std::vector<int32_t>(ids.begin() + 3, ids.begin() + 5));
    }
  }
}

TEST(Shards, TheFirstFormatIsTheOneThatLlmCReads) {
  const TempDir dir;
  for (const size_t n : {0, 1, 1000}) {
    write_shard(dir / "a.bin", some_ids(n));
    EXPECT_EQ(file_bytes(dir / "a.bin"), bin_of(some_ids(n)));
  }
  EXPECT_EQ(dir.names(), std::vector<std::string>{"a.bin"});
}

TEST(Shards, AnIdOutsideTheVocabularyIsNamedWithItsPlace) {
  const TempDir dir;
  Ids ids = some_ids(1'000'000);
  ids[654'321] = 50391;
  for (const char* name : {"a.bin", "a.npy"}) {
    put_file(dir / name, name[2] == 'b' ? bin_of(ids) : npy_of(ids));
    TokenShard shard(dir / name, 50257);
    const std::string message =
        dir / name + ": token 50391 at offset 654321 is outside the vocabulary (50257)";
    EXPECT_ERROR(shard.check(), message);
    EXPECT_ERROR(open_shards(dir / name, 50257), message);
    EXPECT_ERROR(read(shard, 654'000, 1024), message);
    EXPECT_ERROR(read(shard, 650'000, 10'000), message);
    EXPECT_NO_THROW(read(shard, 654'322, 1024));
    EXPECT_NO_THROW(open_shards(dir / name, 50392));
  }
}

TEST(Shards, EachRankChecksItsShareOfTheFiles) {
  const TempDir dir;
  for (int i = 0; i < 5; ++i) put_file(dir / fmt::format("a{}.bin", i), bin_of(i == 3 ? Ids{9} : Ids{1}));
  EXPECT_ERROR(open_shards(dir / "a*.bin", 5), "a3.bin: token 9 at offset 0");
  EXPECT_ERROR(open_shards(dir / "a*.bin", 5, 0, 3), "a3.bin: token 9 at offset 0");
  EXPECT_EQ(open_shards(dir / "a*.bin", 5, 1, 3).size(), 5u);
  EXPECT_EQ(open_shards(dir / "a*.bin", 5, 2, 3).size(), 5u);
}

TEST(Shards, AShardThatShrinksWhileItIsReadIsAnError) {
  const TempDir dir;
  put_file(dir / "a.bin", bin_of(some_ids(100'000)));
  TokenShard shard(dir / "a.bin", 50257);
  EXPECT_NO_THROW(read(shard, 99'000, 1000));
  std::filesystem::resize_file(dir / "a.bin", 1024 + 2 * 50'000 + 1);
  EXPECT_ERROR(read(shard, 49'000, 1000), dir / "a.bin" + ": its ids changed while the run was reading them");
  EXPECT_ERROR(read(shard, 49'500, 1000),
               dir / "a.bin" + ": ends at byte 101025, while it is read; it had 201024");
  EXPECT_ERROR(read(shard, 99'000, 1000), "while it is read");
  EXPECT_ERROR(shard.check(), "while it is read");
  std::filesystem::resize_file(dir / "a.bin", 0);
  EXPECT_ERROR(read(shard, 0, 1), "ends at byte 1024, while it is read");
}

// What others do to a shard's file while a run reads it, and whether the run goes on.
struct Meddling {
  const char* name;
  std::function<void(const std::string& path)> act;
  bool goes_on_if_checked, goes_on_if_not;
};

void write_in_place(const std::string& path, size_t offset, std::string_view bytes) {
  std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
  file.seekp(std::streamoff(offset));
  file.write(bytes.data(), std::streamsize(bytes.size())).flush();
}

std::vector<Meddling> meddlings() {
  namespace fs = std::filesystem;
  const auto touch = [](const std::string& path) {
    fs::last_write_time(path, fs::last_write_time(path) + std::chrono::seconds(1));
  };
  const auto change = [](const std::string& path) {  // an id that is not read next
    write_in_place(path, 1024 + 2 * 90'000, "\xff");
  };
  const auto change_unseen = [change](const std::string& path) {
    const auto time = fs::last_write_time(path);
    change(path);
    fs::last_write_time(path, time);
  };
  const auto put_new_in_place = [](const std::string& path) { put_file(path, bin_of(Ids(100'000, 7))); };
  const auto replace = [](const std::string& path) {
    put_file(path + ".new", bin_of(Ids(100'000, 7)));
    fs::rename(path + ".new", path);  // the run keeps the old one open
  };
  return {{"nothing", [](const std::string&) {}, true, true},
          {"read", [](const std::string& path) { file_bytes(path); }, true, true},
          {"rename", [](const std::string& path) { fs::rename(path, path + ".old"); }, true, true},
          {"replace", replace, true, true},
          {"remove", [](const std::string& path) { fs::remove(path); }, true, true},
          {"touch", touch, true, false},
          {"change", change, false, false},
          {"change, then set the time back", change_unseen, false, false},
          {"append", [](const std::string& path) { fs::resize_file(path, fs::file_size(path) + 2); }, false,
           false},
          {"write anew", put_new_in_place, false, false}};
}

TEST(Shards, AShardThatChangesWhileItIsReadIsAnError) {
  for (const bool checked : {true, false}) {
    for (const Meddling& meddling : meddlings()) {
      const TempDir dir;
      put_file(dir / "a.bin", bin_of(some_ids(100'000)));
      TokenShard shard(dir / "a.bin", 50257);
      if (checked) shard.check();
      read(shard, 0, 10);
      std::this_thread::sleep_for(std::chrono::milliseconds(10));  // file systems count time in ticks
      meddling.act(dir / "a.bin");
      const bool goes_on = checked ? meddling.goes_on_if_checked : meddling.goes_on_if_not;
      if (goes_on) {
        EXPECT_NO_THROW(read(shard, 0, 10)) << meddling.name << checked;
      } else {
        SCOPED_TRACE(meddling.name);
        EXPECT_ERROR(read(shard, 0, 10), "its ids changed while the run was reading them");
      }
    }
  }
}

TEST(Shards, KnowTheirIdentity) {
  const TempDir dir;
  Ids ids = some_ids(1'000'000);
  const auto identity = [&](const std::string& name, int rank = 0, int world = 1) {
    return open_shards(dir / name, 50257, rank, world)[0]->identity();
  };
  put_file(dir / "a.bin", bin_of(ids));
  const SourceIdentity a = identity("a.bin");
  EXPECT_EQ(a.name, "a.bin");
  EXPECT_EQ(a.tokens, 1'000'000);
  put_file(dir / "a.npy", npy_of(ids));
  EXPECT_EQ(identity("a.npy").content, a.content);  // the ids count, not the format
  EXPECT_EQ(identity("a.bin", 1, 2).content, 0u);   // rank 0 reads it
  EXPECT_EQ(identity("a.bin", 1, 2).samples, a.samples);
  ids[123'456] ^= 1;
  put_file(dir / "a.bin", bin_of(ids));
  EXPECT_NE(identity("a.bin").content, a.content);
  ids = some_ids(1'000'001);
  ids.erase(ids.begin());
  put_file(dir / "a.bin", bin_of(ids));
  EXPECT_NE(identity("a.bin").samples, a.samples);
}

TEST(Shards, EveryTruncationIsRefusedWithOneLine) {
  for (const std::string& whole : {bin_of(some_ids(20)), npy_of(some_ids(20))}) {
    EXPECT_EQ(parse_shard_header(as_bytes(whole), int64_t(whole.size()), "file").count, 20);
    for (size_t size = 0; size < whole.size(); ++size)
      EXPECT_ERROR(parse_shard_header(as_bytes(whole.substr(0, size)), int64_t(size), "file"), "file: ");
    EXPECT_ERROR(parse_shard_header(as_bytes(whole + "xx"), int64_t(whole.size() + 2), "file"), "file: ");
  }
}

void expect_refused(const std::string& bytes, const std::string& message) {
  EXPECT_ERROR(parse_shard_header(as_bytes(bytes), int64_t(bytes.size()), "file"), message);
}

TEST(Shards, AForeignFileIsRefusedWithOneLine) {
  const Ids ids = some_ids(20);
  expect_refused("", "file: neither a .bin shard (its first int32 is 0, not 20240520) nor a .npy file");
  expect_refused("hello world", "file: neither a .bin shard");
  expect_refused(bin_of(ids, 20240801),
                 "file: neither a .bin shard (its first int32 is 20240801, not 20240520)");
  expect_refused(bin_of(ids, 20240520, 7), "file: shard version 7; only 1 is read");
  expect_refused(bin_of(ids) + "x", "file: 41 bytes of ids are an odd number");
  expect_refused(bin_of(ids) + "xx", "file: its header says 20 ids, but 21 follow");
  expect_refused(bin_of(ids).substr(0, 1024 + 38), "file: its header says 20 ids, but 19 follow");
  expect_refused(bin_of(ids).substr(0, 1000), "file: the file ends within its header");
  std::string negative = bin_of(ids);
  negative[11] = '\xff';
  expect_refused(negative, "ids, but 20 follow");
  expect_refused(npy_of(ids, "<i4", "10,"),
                 "file: an array (10) of <i4, but a shard is one row of uint16 (<u2)");
  expect_refused(npy_of(ids, "<u2", "4, 5"), "file: an array (4, 5) of <u2, but a shard is one row");
  expect_refused(npy_of(ids, "<u2", "21,"), "file: 40 bytes of values do not fill shape (21)");
}

TEST(Shards, APatternGivesItsFilesSorted) {
  const TempDir dir;
  for (const char* name : {"b_10.bin", "b_02.bin", "b_01.bin", "c.bin", "b_03.bin.tmp.7"})
    put_file(dir / name, bin_of({1, 2}));
  EXPECT_EQ(expand_pattern(dir / "b_*.bin"),
            (std::vector<std::string>{dir / "b_01.bin", dir / "b_02.bin", dir / "b_10.bin"}));
  EXPECT_EQ(expand_pattern(dir / "b_0[12].bin").size(), 2u);
  EXPECT_EQ(expand_pattern(dir / "b_??.bin").size(), 3u);
  EXPECT_EQ(expand_pattern(dir / "c.bin"), std::vector<std::string>{dir / "c.bin"});
  EXPECT_EQ(open_shards(dir / "*.bin", 5).size(), 4u);
  EXPECT_ERROR(expand_pattern(dir / "val_*.bin"), dir / "val_*.bin" + ": no file matches");
  EXPECT_ERROR(open_shards(dir / "no.bin", 5), dir / "no.bin" + ": cannot open");
  EXPECT_ERROR(open_shards(dir.path(), 5), dir.path() + ": not a regular file");
  EXPECT_TRUE(names_shards("data/x_*.bin") && names_shards("a.npy"));
  EXPECT_FALSE(names_shards("tales") || names_shards("input.txt"));
}

TEST(Shards, ATextIsASourceOfItsIds) {
  const TokenSources sources = text_source({5, 6, 7, 8});
  ASSERT_EQ(sources.size(), 1u);
  EXPECT_EQ(sources[0]->size(), 4);
  EXPECT_EQ(read(*sources[0], 1, 3), (std::vector<int32_t>{6, 7, 8}));
}

// Arrays of ids that are not quite shards: the message has a command that makes one of them.
TEST(Shards, AnArrayOfOtherIntegersIsRefusedWithTheCommandThatConvertsIt) {
  const std::pair<const char*, const char*> table[] = {
      {"np.arange(40)", "an array (40) of <i8, but a shard is one row of uint16"},
      {"np.arange(40, dtype='<i4')", "an array (40) of <i4, but a shard is one row of uint16"},
      {"np.arange(40, dtype='>u2')", "its dtype >u2 is not one of"},
      {"np.arange(40, dtype='u4')", "its dtype <u4 is not one of"},
      {"np.arange(40, dtype='<u2').reshape(4, 10)", "an array (4, 10) of <u2, but a shard is one row"},
      {"np.asfortranarray(np.arange(40, dtype='<u2').reshape(4, 10))", "fortran_order is not False"}};
  const std::string python =
      std::getenv("COURSE_PYTHON") != nullptr ? std::getenv("COURSE_PYTHON") : "python3";
  if (std::system((python + " -c 'import numpy' 2>/dev/null").c_str()) != 0) GTEST_SKIP() << "no numpy";
  for (const auto& [array, message] : table) {
    const TempDir dir;
    const std::string path = dir / "my ids.npy", code = dir / "code.py";
    put_file(code, std::string("import numpy as np, sys\nnp.save(sys.argv[1], ") + array + ")\n");
    ASSERT_EQ(std::system((python + " " + code + " '" + path + "'").c_str()), 0);
    const std::string error = error_of([&] { open_shards(path, 50257); }), before = "with: python3 ";
    EXPECT_NE(error.find(path + ": " + message), error.npos) << error;
    ASSERT_NE(error.find(before), error.npos) << error;
    const std::string command = python + " " + error.substr(error.find(before) + before.size());
    ASSERT_EQ(std::system(command.c_str()), 0) << command;
    const TokenSources sources = open_shards(dir / "my ids_u2.npy", 50257);
    std::vector<int32_t> ids(40), expected(40);
    std::iota(expected.begin(), expected.end(), 0);
    sources[0]->read(0, ids);
    EXPECT_EQ(ids, expected) << array;
  }
}

TEST(Shards, OnePatternIsNotForTrainingAndValidation) {
  const TempDir dir;
  const std::vector<uint16_t> ids(100, 7);
  const auto opened = [&](const std::vector<std::string>& names) {
    for (const std::string& name : dir.names()) std::filesystem::remove(dir / name);
    for (const std::string& name : names) write_shard(dir / name, ids);
    return open_shards(dir / "*.bin", 50257).size();
  };
  for (const auto& [train, val] : std::vector<std::pair<std::string, std::string>>{
           {"edu_fineweb_train_000001.bin", "edu_fineweb_val_000000.bin"},
           {"tiny_shakespeare_train.bin", "tiny_shakespeare_val.bin"},
           {"x_train_1.bin", "x_val.bin"}})
    EXPECT_ERROR(opened({train, val}), "*.bin: it matches " + train + " and " + val);
  EXPECT_EQ(opened({"a_train_1.bin", "a_train_2.bin"}), 2u);
  EXPECT_EQ(opened({"a_val_1.bin", "a_val_2.bin"}), 2u);
  EXPECT_EQ(opened({"trained_valley.bin", "a_train.bin", "a_values_1.bin"}), 3u);
}

}  // namespace
}  // namespace gpt2
