#include "common/data/npy.h"

#include <gtest/gtest.h>

#include <cstring>

#include "tests/common/files.h"

namespace gpt2 {
namespace {

using testing::as_bytes;
using testing::file_bytes;
using testing::put_file;
using testing::TempDir;

// A file's bytes from its parts, without the help of the writer.
std::string file_of(const std::string& header, const std::string& data) {
  const auto length = static_cast<uint16_t>(header.size());
  std::string bytes("\x93NUMPY\x01\x00\x00\x00", 10);
  std::memcpy(bytes.data() + 8, &length, sizeof length);
  return bytes + header + data;
}

template <class T>
std::string bytes_of(const std::vector<T>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}

template <class T>
void expect_read(const std::string& descr, const std::vector<T>& values) {
  const TempDir dir;
  const std::string header = "{'descr': '" + descr + "', 'fortran_order': False, 'shape': (2, 2), }\n";
  put_file(dir / "a.npy", file_of(header, bytes_of(values)));
  const NpyFile file(dir / "a.npy");
  EXPECT_EQ(file.shape(), (std::vector<int64_t>{2, 2}));
  EXPECT_EQ(file.values<T>(), values);
}

TEST(Npy, ReadsItsFourTypes) {
  expect_read<float>("<f4", {1.5, -2, 0, 1e30f});
  expect_read<int32_t>("<i4", {1, -2, 0, INT32_MAX});
  expect_read<int64_t>("<i8", {1, -2, 0, INT64_MIN});
  expect_read<uint16_t>("<u2", {1, 2, 0, 65535});
}

TEST(Npy, ReadsHeadersThatNumpyWouldWriteOtherwise) {
  const std::string data = bytes_of<float>({1, 2, 3});
  for (const char* header : {"{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }     \n",
                             R"({"shape":(3,),"fortran_order":False,"descr":"<f4"})",
                             "{ 'shape' : ( 3 , 1 ) , 'descr' : '<f4' , 'fortran_order' : False }"}) {
    const std::string file = file_of(header, data);
    EXPECT_EQ(parse_npy(as_bytes(file), "file").shape.front(), 3) << header;
  }
  const std::string scalar =
      file_of("{'descr': '<i8', 'fortran_order': False, 'shape': (), }", std::string(8, '\1'));
  EXPECT_EQ(parse_npy(as_bytes(scalar), "file").shape, std::vector<int64_t>{});
}

TEST(Npy, WhatIsWrittenIsReadBack) {
  const TempDir dir;
  const std::vector<float> values = {0, -0.0f, 1, -1, 0.1f, 1e-40f};
  for (const std::vector<int64_t>& shape : std::vector<std::vector<int64_t>>{{6}, {2, 3}, {1, 6, 1}}) {
    write_npy(dir / "a.npy", values, shape);
    const NpyFile file(dir / "a.npy");
    EXPECT_EQ(file.shape(), shape);
    EXPECT_EQ(bytes_of(file.values<float>()), bytes_of(values));
    EXPECT_EQ((file_bytes(dir / "a.npy").size() - 24) % 64, 0u);  // the values are aligned, as numpy does it
  }
  write_npy(dir / "a.npy", {}, {0, 5});
  EXPECT_EQ(NpyFile(dir / "a.npy").shape(), (std::vector<int64_t>{0, 5}));
  write_npy(dir / "a.npy", std::vector<float>{7}, {});
  EXPECT_EQ(NpyFile(dir / "a.npy").values<float>(), std::vector<float>{7});
}

// numpy 2.4.6: numpy.save(f, numpy.array([1, 2], dtype="float32"))
TEST(Npy, WritesTheBytesThatNumpyWrites) {
  const TempDir dir;
  write_npy(dir / "a.npy", std::vector<float>{1, 2}, {2});
  const std::string header = "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }";
  EXPECT_EQ(file_bytes(dir / "a.npy"), std::string("\x93NUMPY\x01\x00\x76\x00", 10) + header +
                                           std::string(0x76 - header.size() - 1, ' ') + "\n" +
                                           std::string("\x00\x00\x80\x3f\x00\x00\x00\x40", 8));
}

TEST(Npy, TheWriterRefusesAShapeThatDoesNotFit) {
  const TempDir dir;
  EXPECT_ERROR(write_npy(dir / "a.npy", std::vector<float>{1, 2}, {3}), "2 values do not fill shape (3)");
  EXPECT_TRUE(dir.names().empty());
}

TEST(Npy, AnotherTypeIsRefused) {
  const TempDir dir;
  write_npy(dir / "a.npy", std::vector<float>{1, 2}, {2});
  EXPECT_ERROR(NpyFile(dir / "a.npy").values<int32_t>(), dir / "a.npy" + ": its dtype is <f4, not <i4");
}

TEST(Npy, EveryTruncationIsRefusedWithOneLine) {
  const std::string whole =
      file_of("{'descr': '<u2', 'fortran_order': False, 'shape': (40,), }", std::string(80, 'x'));
  EXPECT_EQ(parse_npy(as_bytes(whole), "file").bytes.size(), 80u);
  for (size_t size = 0; size < whole.size(); ++size)
    EXPECT_ERROR(parse_npy(as_bytes(whole.substr(0, size)), "file"), "file: ");
  EXPECT_ERROR(parse_npy(as_bytes(whole + "x"), "file"),
               "file: 81 bytes of values do not fill shape (40) of <u2");
}

struct Bad {
  const char* header;
  const char* message;
};

class BadNpy : public ::testing::TestWithParam<Bad> {};

TEST_P(BadNpy, IsRefusedWithOneLine) {
  const std::string file = file_of(GetParam().header, std::string(8, 'x'));
  EXPECT_ERROR(parse_npy(as_bytes(file), "file"), std::string("file: ") + GetParam().message);
}

INSTANTIATE_TEST_SUITE_P(
    Headers, BadNpy,
    ::testing::Values(
        Bad{"{'descr': '>f4', 'fortran_order': False, 'shape': (2,), }", "its dtype >f4 is not one of"},
        Bad{"{'descr': '<f8', 'fortran_order': False, 'shape': (1,), }", "its dtype <f8 is not one of"},
        Bad{"{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", "its dtype |O is not one of"},
        Bad{"{'descr': '', 'fortran_order': False, 'shape': (1,), }", "its dtype is not one of"},
        Bad{"{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2,), }", "a structured array"},
        Bad{"{'descr': '<f4', 'fortran_order': True, 'shape': (2,), }", "fortran_order is not False"},
        Bad{"{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }",
            "8 bytes of values do not fill shape (3)"},
        Bad{"{'descr': '<f4', 'fortran_order': False, 'shape': (-2,), }", "malformed .npy header"},
        Bad{"{'descr': '<f4', 'fortran_order': False, 'shape': (2,, ), }", "malformed .npy header"},
        Bad{"{'descr': '<f4', 'fortran_order': False, 'shape': (2 2), }", "malformed .npy header"},
        Bad{"{'descr': '<f4', 'fortran_order': False, 'shape': (2", "malformed .npy header"},
        Bad{"{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,), }",
            "malformed .npy header"},
        Bad{"{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904, 4), }",
            "8 bytes of values"},
        Bad{"{'descr': '<f4', 'fortran_order': False, }", "malformed .npy header"},
        Bad{"{'descr': '<f4', 'shape': (2,), }", "malformed .npy header"},
        Bad{"{'fortran_order': False, 'shape': (2,), }", "malformed .npy header"},
        Bad{"{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (2,), }",
            "malformed .npy header"},
        Bad{"{'descr': '<f4', 'fortran_order': False, 'shape': (2,), 'x': 1}", "malformed .npy header"},
        Bad{"{'descr': '<f4', 'fortran_order': False, 'shape': (2,), } x", "malformed .npy header"},
        Bad{"{'descr' '<f4'}", "malformed .npy header"}, Bad{"{'descr", "malformed .npy header"},
        Bad{"{", "malformed .npy header"}, Bad{"", "malformed .npy header"}));

TEST(Npy, OtherFilesAndVersionsAreRefused) {
  EXPECT_ERROR(parse_npy(as_bytes("PK\x03\x04 a zip file"), "file"), "file: not a .npy file");
  std::string file =
      file_of("{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }", std::string(8, 'x'));
  file[6] = 2;
  EXPECT_ERROR(parse_npy(as_bytes(file), "file"), "file: .npy version 2.0; only 1.0 is read");
}

}  // namespace
}  // namespace gpt2
