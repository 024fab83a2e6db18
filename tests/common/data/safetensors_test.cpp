#include "common/data/safetensors.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <bit>
#include <cmath>
#include <csignal>
#include <cstring>
#include <limits>

#include "tests/common/files.h"

namespace gpt2 {
namespace {

using testing::as_bytes;
using testing::error_of;
using testing::file_bytes;
using testing::put_file;
using testing::TempDir;

// A file's bytes from its parts, without the help of the writer.
std::string file_of(const std::string& header, const std::string& data) {
  const uint64_t length = header.size();
  std::string bytes(sizeof length, '\0');
  std::memcpy(bytes.data(), &length, sizeof length);
  return bytes + header + data;
}

template <class T>
std::string bytes_of(const std::vector<T>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}

std::vector<float> float32_of(const SafetensorsEntry& entry) {
  std::vector<float> values(static_cast<size_t>(entry.numel()));
  read_float32(entry, values);
  return values;
}

// The only tensor of a file, "t", with `dtype` and 16-bit values.
std::vector<float> widened(const std::string& dtype, const std::vector<uint16_t>& values) {
  const std::string data = bytes_of(values);
  const SafetensorsEntry entry{"t", dtype, {static_cast<int64_t>(values.size())}, as_bytes(data), "file"};
  return float32_of(entry);
}

constexpr const char* kTwoTensors = R"({"__metadata__":{"format":"pt"},)"
                                    R"("b":{"dtype":"F32","shape":[2,2],"data_offsets":[4,20]},)"
                                    R"("a":{"dtype":"I16","shape":[2],"data_offsets":[0,4]}})";

TEST(Safetensors, EntriesComeInTheOrderOfTheirBytes) {
  const std::string data = bytes_of<int16_t>({7, -7}) + bytes_of<float>({1, -2, 3, 0.5});
  const std::string file = file_of(kTwoTensors, data);
  const SafetensorsContent content = parse_safetensors(as_bytes(file), "file");
  ASSERT_EQ(content.entries.size(), 2u);
  const SafetensorsEntry &a = content.entries[0], &b = content.entries[1];
  EXPECT_EQ(a.name, "a");
  EXPECT_EQ(a.dtype, "I16");
  EXPECT_EQ(a.shape, std::vector<int64_t>{2});
  EXPECT_EQ(std::memcmp(a.bytes.data(), data.data(), 4), 0);
  EXPECT_EQ(a.bytes.size(), 4u);
  EXPECT_EQ(b.name, "b");
  EXPECT_EQ(b.shape, (std::vector<int64_t>{2, 2}));
  EXPECT_EQ(b.numel(), 4);
  EXPECT_EQ(float32_of(b), (std::vector<float>{1, -2, 3, 0.5}));
  EXPECT_EQ(content.metadata, (SafetensorsMetadata{{"format", "pt"}}));
}

TEST(Safetensors, ScalarsAndEmptyTensorsArePartOfTheFormat) {
  const std::string file = file_of(R"({"z":{"dtype":"F32","shape":[0,3],"data_offsets":[4,4]},)"
                                   R"("s":{"dtype":"F32","shape":[],"data_offsets":[0,4]},)"
                                   R"("e":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}   )",
                                   bytes_of<float>({2.5}));
  const auto entries = parse_safetensors(as_bytes(file), "file").entries;
  ASSERT_EQ(entries.size(), 3u);
  EXPECT_EQ(entries[0].name, "e");
  EXPECT_EQ(entries[1].name, "s");
  EXPECT_EQ(float32_of(entries[1]), std::vector<float>{2.5});
  EXPECT_EQ(entries[2].name, "z");
  EXPECT_EQ(float32_of(entries[2]), std::vector<float>{});
}

TEST(Safetensors, AFileWithoutTensorsIsValid) {
  EXPECT_TRUE(parse_safetensors(as_bytes(file_of("{}", "")), "file").entries.empty());
}

TEST(Safetensors, SizesOfEveryDtypeOfTheFormat) {
  const std::vector<std::pair<std::string, int64_t>> kBits = {
      {"BOOL", 8},        {"U8", 8},          {"I8", 8},    {"F8_E5M2", 8}, {"F8_E4M3", 8}, {"F8_E8M0", 8},
      {"F8_E4M3FNUZ", 8}, {"F8_E5M2FNUZ", 8}, {"F4", 4},    {"F6_E2M3", 6}, {"F6_E3M2", 6}, {"U16", 16},
      {"I16", 16},        {"F16", 16},        {"BF16", 16}, {"U32", 32},    {"I32", 32},    {"F32", 32},
      {"U64", 64},        {"I64", 64},        {"F64", 64},  {"C64", 64}};
  for (const auto& [dtype, bits] : kBits) {
    const auto header = [&, name = dtype](int64_t bytes) {
      return R"({"t":{"dtype":")" + name + R"(","shape":[2,4],"data_offsets":[0,)" + std::to_string(bytes) +
             "]}}";
    };
    const std::string file = file_of(header(bits), std::string(static_cast<size_t>(bits), 'x'));
    EXPECT_EQ(parse_safetensors(as_bytes(file), dtype).entries.size(), 1u) << dtype;
    const std::string longer = file_of(header(bits + 1), std::string(static_cast<size_t>(bits + 1), 'x'));
    EXPECT_ERROR(parse_safetensors(as_bytes(longer), "file"), "by its data_offsets");
  }
}

TEST(Safetensors, HalfIsWidenedExactly) {
  std::vector<uint16_t> all(65536);
  for (size_t i = 0; i < all.size(); ++i) all[i] = static_cast<uint16_t>(i);
  const std::vector<float> values = widened("F16", all);
  for (int i = 0; i < 65536; ++i) {
    const int exponent = (i >> 10) & 31, fraction = i & 1023;
    const float value = values[static_cast<size_t>(i)];
    EXPECT_EQ(std::signbit(value), i >= 32768) << i;
    // IEEE 754, 3.4: subnormals share the exponent of the smallest normal, without its leading 1.
    const double magnitude =
        exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(1024 + fraction, exponent - 25);
    const bool is_special = fraction == 0 ? std::isinf(value) : std::isnan(value);
    EXPECT_TRUE(exponent == 31 ? is_special : std::fabs(double(value)) == magnitude) << i;
  }
}

TEST(Safetensors, Bfloat16IsTheUpperHalfOfAFloat) {
  std::vector<uint16_t> all(65536);
  for (size_t i = 0; i < all.size(); ++i) all[i] = static_cast<uint16_t>(i);
  const std::vector<float> values = widened("BF16", all);
  for (uint32_t i = 0; i < 65536; ++i) EXPECT_EQ(std::bit_cast<uint32_t>(values[i]), i << 16);
  EXPECT_EQ(widened("BF16", {0x3f80, 0xc049, 0x0001}), (std::vector<float>{1.0f, -3.140625f, 0x1p-133f}));
}

TEST(Safetensors, DoublesAreRoundedToFloats) {
  const std::vector<double> doubles = {1.5, 1 + 0x1p-24, 1 + 0x1.8p-24, -0x1p-149, 1e300, -0.0};
  const std::string data = bytes_of(doubles);
  const SafetensorsEntry entry{"t", "F64", {6}, as_bytes(data), "file"};
  EXPECT_EQ(float32_of(entry), (std::vector<float>{1.5f, 1, 1 + 0x1p-23f, -0x1p-149f,
                                                   std::numeric_limits<float>::infinity(), 0}));
}

// A value that is not finite, in every type and at every place.
TEST(Safetensors, ReadFiniteNamesTheFirstValueThatIsNot) {
  const double nan = std::nan(""), inf = std::numeric_limits<double>::infinity();
  const struct {
    std::string dtype, bytes, found;
  } cases[] = {
      {"F32", bytes_of<float>({float(nan), 1, 2}), "value 0 is nan, not a finite number; "},
      {"F32", bytes_of<float>({0, 1, float(-inf)}), "value 2 is -inf, not a finite number; "},
      {"F16", bytes_of<uint16_t>({0x3c00, 0x7c00, 0x7e00}), "value 1 is inf, not a finite number; "},
      {"BF16", bytes_of<uint16_t>({0x3f80, 0, 0x7fc0}), "value 2 is nan, not a finite number; "},
      {"F64", bytes_of<double>({0, nan, 1}), "value 1 is nan, not a finite number in float32; "},
      {"F64", bytes_of<double>({0, 1, 1e39}), "value 2 is inf, not a finite number in float32; "},
  };
  for (const auto& c : cases) {
    const SafetensorsEntry entry{"t", c.dtype, {3}, as_bytes(c.bytes), "file"};
    std::vector<float> out(3);
    EXPECT_ERROR(read_finite(entry, out), "file: tensor t: " + c.found);
    EXPECT_NO_THROW(read_float32(entry, out));
  }
}

TEST(Safetensors, UnalignedDataIsRead) {
  for (const std::string padding : {"", " ", "  ", "   "}) {
    const std::string file =
        file_of(kTwoTensors + padding, bytes_of<int16_t>({7, -7}) + bytes_of<float>({1, -2, 3, 4}));
    const SafetensorsContent content = parse_safetensors(as_bytes(file), "file");
    EXPECT_EQ(float32_of(content.entries[1]), (std::vector<float>{1, -2, 3, 4}));
  }
}

TEST(Safetensors, OnlyFloatsCanBeReadAsFloats) {
  const std::string data(8, 'x');
  std::vector<float> out(2);
  const SafetensorsEntry integers{"t", "I32", {2}, as_bytes(data), "file"};
  EXPECT_ERROR(read_float32(integers, out),
               "file: tensor t is I32; only F32, F64, F16 and BF16 can be loaded");
  const SafetensorsEntry floats{"t", "F32", {2}, as_bytes(data), "file"};
  EXPECT_ERROR(read_float32(floats, std::span<float>(out).first(1)), "file: tensor t has 2 values, not 1");
}

// Headers over 8 bytes of data, and what must be said about each.
struct Bad {
  const char* header;
  const char* message;
};

class BadSafetensors : public ::testing::TestWithParam<Bad> {};

TEST_P(BadSafetensors, IsRefusedWithOneLine) {
  const std::string file = file_of(GetParam().header, std::string(8, 'x'));
  EXPECT_ERROR(parse_safetensors(as_bytes(file), "dir/file"), std::string("dir/file: ") + GetParam().message);
}

INSTANTIATE_TEST_SUITE_P(
    Offsets, BadSafetensors,
    ::testing::Values(
        Bad{R"({"a":{"dtype":"U8","shape":[5],"data_offsets":[0,5]},"b":{"dtype":"U8","shape":[5],"data_offsets":[3,8]}})",
            "tensor b begins at byte 3 of the data, but those before it end at 5"},  // an overlap
        Bad{R"({"a":{"dtype":"U8","shape":[8],"data_offsets":[0,8]},"b":{"dtype":"U8","shape":[8],"data_offsets":[0,8]}})",
            "tensor b begins at byte 0 of the data, but those before it end at 8"},  // the same bytes twice
        Bad{R"({"a":{"dtype":"U8","shape":[3],"data_offsets":[0,3]},"b":{"dtype":"U8","shape":[4],"data_offsets":[4,8]}})",
            "tensor b begins at byte 4 of the data, but those before it end at 3"},  // a hole
        Bad{R"({"a":{"dtype":"U8","shape":[7],"data_offsets":[1,8]}})", "tensor a begins at byte 1"},
        Bad{R"({"a":{"dtype":"U8","shape":[7],"data_offsets":[0,7]}})", "1 bytes follow the last tensor"},
        Bad{R"({})", "8 bytes follow the last tensor"},
        Bad{R"({"a":{"dtype":"U8","shape":[9],"data_offsets":[0,9]}})", "tensor a ends at byte 9 of 8 bytes"},
        Bad{R"({"a":{"dtype":"U8","shape":[8],"data_offsets":[8,16]}})",
            "tensor a ends at byte 16 of 8 bytes"},
        Bad{R"({"a":{"dtype":"U8","shape":[8],"data_offsets":[8,0]}})", "tensor a has data_offsets [8,0]"},
        Bad{R"({"a":{"dtype":"U8","shape":[8],"data_offsets":[-8,0]}})", "tensor a has data_offsets [-8,0]"},
        Bad{R"({"a":{"dtype":"U8","shape":[8],"data_offsets":[0,8,8]}})",
            "tensor a has data_offsets [0,8,8]"},
        Bad{R"({"a":{"dtype":"U8","shape":[8],"data_offsets":[0.0,8]}})",
            "tensor a has data_offsets [0.0,8]"},
        Bad{R"({"a":{"dtype":"U8","shape":[8],"data_offsets":[0,9223372036854775808]}})",
            "tensor a has data_offsets"},
        Bad{R"({"a":{"dtype":"U8","shape":[8],"data_offsets":[0,99999999999999999999]}})",
            "tensor a has data_offsets"},
        Bad{R"({"a":{"dtype":"U8","shape":[8]}})", "tensor a has no data_offsets"}));

INSTANTIATE_TEST_SUITE_P(
    ShapesAndDtypes, BadSafetensors,
    ::testing::Values(
        Bad{R"({"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}})",
            "tensor a takes 12 bytes by its shape [3] of F32, but 8 by its data_offsets"},
        Bad{R"({"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}})",
            "tensor a has shape [-2], not a list"},
        Bad{R"({"a":{"dtype":"F32","shape":[2.0],"data_offsets":[0,8]}})",
            "tensor a has shape [2.0], not a list"},
        Bad{R"({"a":{"dtype":"F32","shape":2,"data_offsets":[0,8]}})", "tensor a has shape 2, not a list"},
        Bad{R"({"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,8]}})",
            "tensor a has shape"},
        Bad{R"({"a":{"dtype":"F32","shape":[4611686018427387904,4,2],"data_offsets":[0,8]}})",
            "tensor a has shape"},
        Bad{R"({"a":{"dtype":"F4","shape":[15],"data_offsets":[0,8]}})", "tensor a has shape [15] of F4"},
        Bad{R"({"a":{"dtype":"F32","data_offsets":[0,8]}})", "tensor a has no shape"},
        Bad{R"({"a":{"dtype":"F128","shape":[1],"data_offsets":[0,8]}})",
            R"(tensor a has dtype "F128", which)"},
        Bad{R"({"a":{"dtype":"f32","shape":[2],"data_offsets":[0,8]}})",
            R"(tensor a has dtype "f32", which)"},
        Bad{R"({"a":{"dtype":"\n","shape":[2],"data_offsets":[0,8]}})", R"(tensor a has dtype "\n", which)"},
        Bad{R"({"a":{"dtype":4,"shape":[2],"data_offsets":[0,8]}})", "tensor a has dtype 4, which"},
        Bad{R"({"a":{"shape":[2],"data_offsets":[0,8]}})", "tensor a has no dtype"}));

INSTANTIATE_TEST_SUITE_P(
    Headers, BadSafetensors,
    ::testing::Values(
        Bad{"", "the header is not a JSON object"}, Bad{"[]", "the header is not a JSON object"},
        Bad{" {}", "the header is not a JSON object"}, Bad{"{", "not valid JSON (line 1, column 2)"},
        Bad{"{} {}", "not valid JSON"}, Bad{"{}x", "not valid JSON"}, Bad{"{\"a\xff\":{}}", "not valid JSON"},
        Bad{"{\"a\":1e999}", "not valid JSON (a number is out of range)"},
        Bad{R"({"a":{"dtype":"U8","shape":[8],"data_offsets":[0,8]},"a":{"dtype":"U8","shape":[8],"data_offsets":[0,8]}})",
            R"(JSON has the key "a" twice)"},
        Bad{R"({"a":{"dtype":"U8","shape":[8],"shape":[8],"data_offsets":[0,8]}})",
            R"(JSON has the key "shape" twice)"},
        Bad{R"({"a\nb":{"dtype":"U8","shape":[8],"data_offsets":[0,8]}})",
            R"(tensor "a\nb" has control characters)"},
        Bad{R"({"a":[]})", "tensor a has no dtype"},
        Bad{R"({"__metadata__":[]})", "__metadata__ is not an object"},
        Bad{R"({"__metadata__":{"format":1}})", R"(__metadata__ "format" is not a string)"}));

TEST(Safetensors, ANulByteDoesNotEndTheHeader) {
  const std::string file = file_of(std::string("{}\0garbage", 10), "");
  EXPECT_ERROR(parse_safetensors(as_bytes(file), "file"),
               "file: not valid JSON (line 1, column 3: a NUL byte)");
}

TEST(Safetensors, DeepNestingIsRefusedBeforeItFillsTheMemory) {
  const std::string file = file_of("{\"a\":" + std::string(1'000'000, '['), "");
  EXPECT_ERROR(parse_safetensors(as_bytes(file), "file"), "nested deeper than 16 levels");
}

TEST(Safetensors, AHeaderLengthBeyondTheFileIsRefused) {
  for (const uint64_t length : {uint64_t{3}, uint64_t{100'000'001}, uint64_t{1} << 63, ~uint64_t{0}}) {
    std::string file = file_of("{}", "");
    std::memcpy(file.data(), &length, sizeof length);
    EXPECT_ERROR(parse_safetensors(as_bytes(file), "file"),
                 "file: header of " + std::to_string(length) + " bytes");
  }
  EXPECT_ERROR(parse_safetensors({}, "file"), "file: 0 bytes are too few");
  EXPECT_ERROR(parse_safetensors(as_bytes("1234567"), "file"), "file: 7 bytes are too few");
}

// Three tensors of every kind that matters, as `write_safetensors` lays them out.
void write_example(const std::string& path) {
  const std::string floats = bytes_of(std::vector<float>(100, 0.25f)), halves(14, '\x3c'), bytes(3, 'b');
  const std::vector<SafetensorsEntry> entries = {
      {"transformer.wte.weight", "F32", {10, 10}, as_bytes(floats), ""},
      {"odd", "U8", {3}, as_bytes(bytes), ""},
      {"half", "F16", {7, 1}, as_bytes(halves), ""},
  };
  write_safetensors(path, entries);
}

TEST(Safetensors, WhatIsWrittenIsReadBack) {
  const TempDir dir;
  write_example(dir / "file");
  const SafetensorsFile file(dir / "file");
  ASSERT_EQ(file.entries().size(), 3u);
  EXPECT_EQ(file.entries()[0].name, "transformer.wte.weight");
  EXPECT_EQ(file.entries()[0].file, dir / "file");
  EXPECT_EQ(float32_of(file.entries()[0]), std::vector<float>(100, 0.25f));
  EXPECT_EQ(file.entries()[1].dtype, "U8");
  EXPECT_EQ(file.entries()[2].shape, (std::vector<int64_t>{7, 1}));
  EXPECT_EQ(file.entries()[2].bytes.size(), 14u);
  EXPECT_EQ(file.metadata(), (SafetensorsMetadata{{"format", "pt"}}));
  uint64_t length = 0;
  std::memcpy(&length, file_bytes(dir / "file").data(), sizeof length);
  EXPECT_EQ(length % 8, 0u);
}

TEST(Safetensors, EveryTruncationIsRefusedWithOneLine) {
  const TempDir dir;
  write_example(dir / "whole");
  const std::string whole = file_bytes(dir / "whole");
  ASSERT_GT(whole.size(), 640u);
  for (size_t size = 0; size < whole.size(); ++size) {
    const std::string path = dir / "cut";
    if (size % 64 != 0) {
      EXPECT_ERROR(parse_safetensors(as_bytes(whole.substr(0, size)), path), path + ": ");
    } else {
      put_file(path, whole.substr(0, size));
      EXPECT_ERROR(SafetensorsFile(path), path + ": ");
    }
  }
  EXPECT_ERROR(parse_safetensors(as_bytes(whole + "x"), "file"), "file: 1 bytes follow the last tensor");
}

TEST(Safetensors, TheWriterRefusesWhatTheReaderWould) {
  const TempDir dir;
  const std::string data(8, 'x'), path = dir / "file";
  using Entries = std::vector<SafetensorsEntry>;
  EXPECT_ERROR(write_safetensors(path, Entries{{"t", "F32", {3}, as_bytes(data), ""}}),
               path + ": tensor t of F32 (3) cannot be written from 8 bytes");
  EXPECT_ERROR(write_safetensors(path, Entries{{"t", "float", {2}, as_bytes(data), ""}}),
               "tensor t of float (2)");
  const SafetensorsEntry entry{"t", "F32", {2}, as_bytes(data), ""};
  EXPECT_ERROR(write_safetensors(path, Entries{entry, entry}), path + ": tensor t cannot be written twice");
  EXPECT_ERROR(write_safetensors(path, Entries{{"__metadata__", "U8", {8}, as_bytes(data), ""}}),
               "written twice");
  EXPECT_TRUE(dir.names().empty());
}

TEST(Safetensors, OnAFullDiskTheOldFileStays) {
  const TempDir dir;
  put_file(dir / "file", "old");
  const auto old_handler = std::signal(SIGXFSZ, SIG_IGN);
  rlimit old_limit{};
  ::getrlimit(RLIMIT_FSIZE, &old_limit);
  const rlimit limit{500, old_limit.rlim_max};
  ::setrlimit(RLIMIT_FSIZE, &limit);  // the header fits, the tensors do not
  const std::string message = error_of([&] { write_example(dir / "file"); });
  ::setrlimit(RLIMIT_FSIZE, &old_limit);
  std::signal(SIGXFSZ, old_handler);
  EXPECT_EQ(message, dir / "file" + ": cannot write: File too large; nothing was changed");
  EXPECT_EQ(file_bytes(dir / "file"), "old");
  EXPECT_EQ(dir.names(), std::vector<std::string>{"file"});
}

TEST(SafetensorsIndex, GivesTheFileOfEveryTensor) {
  const auto map =
      parse_safetensors_index(R"({"metadata":{"total_size":8},"weight_map":{"a":"1.st","b":"2.st"}})", "i");
  EXPECT_EQ(map, (std::map<std::string, std::string>{{"a", "1.st"}, {"b", "2.st"}}));
}

TEST(SafetensorsIndex, NeverLeadsOutOfItsFolder) {
  for (const char* file : {R"("../x")", R"("/etc/passwd")", R"("a/b")", R"("a\\b")", R"("..")", R"(".")",
                           R"("")", "1", R"("a\u0000b")", R"("a\nb")"})
    EXPECT_ERROR(
        parse_safetensors_index(fmt::format(R"({{"weight_map":{{"a":{}}}}})", file), "index"),
        fmt::format(R"(index: weight_map places tensor "a" in {}, which is not a plain file name)", file));
}

TEST(SafetensorsIndex, WithoutAMapIsRefused) {
  for (const char* text : {"[]", "{}", R"({"weight_map":[]})", "7"})
    EXPECT_ERROR(parse_safetensors_index(text, "index"), "index: no weight_map");
  EXPECT_ERROR(parse_safetensors_index(R"({"weight_map":{}})", "index"), "index: weight_map is empty");
  EXPECT_ERROR(parse_safetensors_index("{\n  \"weight_map\": oops}", "index"),
               "index: not valid JSON (line 2, column ");
}

// One float tensor a file.
void write_one(const std::string& path, const std::string& name, float value) {
  const std::vector<SafetensorsEntry> entries = {{name, "F32", {1}, std::as_bytes(std::span(&value, 1)), ""}};
  write_safetensors(path, entries);
}

TEST(SafetensorsCheckpoint, ReadsOneFileOrManyWithAnIndex) {
  const TempDir dir;
  write_one(dir / "1.st", "a", 1);
  write_one(dir / "2.st", "b", 2);
  put_file(dir / "model.safetensors.index.json", R"({"weight_map":{"a":"1.st","b":"2.st"}})");
  const SafetensorsCheckpoint sharded(dir.path());
  ASSERT_EQ(sharded.entries().size(), 2u);
  ASSERT_NE(sharded.find("b"), nullptr);
  EXPECT_EQ(float32_of(*sharded.find("b")), std::vector<float>{2});
  EXPECT_EQ(sharded.find("b")->file, dir / "2.st");
  EXPECT_EQ(sharded.find("c"), nullptr);

  write_one(dir / "model.safetensors", "c", 3);  // like transformers: the single file comes first
  const SafetensorsCheckpoint single(dir.path());
  ASSERT_EQ(single.entries().size(), 1u);
  ASSERT_NE(single.find("c"), nullptr);
  EXPECT_EQ(float32_of(*single.find("c")), std::vector<float>{3});
}

// A folder with weights in another format: what is there, and what to do with it.
TEST(SafetensorsCheckpoint, WeightsOfAnotherFormatAreNamed) {
  const struct {
    const char *file, *advice;
  } cases[] = {
      {"pytorch_model.bin", "convert it with: python3 -c "},
      {"pytorch_model.bin.index.json", "convert it with: python3 -c "},
      {"tf_model.h5", "not from tf_model.h5; "},
      {"flax_model.msgpack", "not from flax_model.msgpack; "},
      {"ckpt.pt", "not from ckpt.pt; "},
      {"gpt2_124M.bin", "not from gpt2_124M.bin; "},
      {"gpt2-q8_0.gguf", "not from gpt2-q8_0.gguf; "},
  };
  for (const auto& c : cases) {
    const TempDir dir;
    put_file(dir / c.file, "weights");
    put_file(dir / "config.json", "{}");
    const std::string error = error_of([&] { SafetensorsCheckpoint{dir.path()}; });
    EXPECT_EQ(error.find(dir.path() + ": "), 0u) << error;
    EXPECT_NE(error.find(c.file), std::string::npos) << error;
    EXPECT_NE(error.find(c.advice), std::string::npos) << error;
  }
  const TempDir dir;
  const std::string folder = dir / "it's mine";
  std::filesystem::create_directory(folder);
  put_file(folder + "/pytorch_model.bin", "weights");
  EXPECT_ERROR(
      SafetensorsCheckpoint{folder},
      "import GPT2LMHeadModel; GPT2LMHeadModel.from_pretrained(sys.argv[1]).save_pretrained(sys.argv[1])' '" +
          dir.path() + "/it'\\''s mine'");
}

TEST(SafetensorsCheckpoint, IndexAndFilesMustAgree) {
  const TempDir dir;
  const std::string index = dir / "model.safetensors.index.json";
  EXPECT_ERROR(SafetensorsCheckpoint(dir / "none"), dir / "none" + ": no such folder");
  EXPECT_ERROR(SafetensorsCheckpoint(dir.path()), dir.path() + ": neither model.safetensors nor");
  write_one(dir / "1.st", "a", 1);
  write_one(dir / "2.st", "a", 2);
  put_file(index, R"({"weight_map":{"a":"1.st","b":"3.st"}})");
  EXPECT_ERROR(SafetensorsCheckpoint(dir.path()), dir / "3.st" + ": cannot open");
  put_file(index, R"({"weight_map":{"a":"1.st","b":"1.st"}})");
  EXPECT_ERROR(SafetensorsCheckpoint(dir.path()),
               dir / "1.st" + R"(: tensor "b" is not in it, though )" + index);
  put_file(index, R"({"weight_map":{"b":"1.st"}})");
  EXPECT_ERROR(SafetensorsCheckpoint(dir.path()), dir / "1.st" + R"(: tensor "b" is not in it)");
  put_file(index, R"({"weight_map":{"a":"1.st","b":"2.st"}})");
  EXPECT_ERROR(SafetensorsCheckpoint(dir.path()),
               dir / "2.st" + ": tensor a is in " + dir / "1.st" + " as well");
  write_one(dir / "2.st", "b", 2);
  put_file(index, R"({"weight_map":{"a":"2.st","b":"1.st"}})");
  EXPECT_ERROR(SafetensorsCheckpoint(dir.path()), R"(tensor "a" is not in it)");
  std::filesystem::resize_file(dir / "1.st", 64);
  EXPECT_ERROR(SafetensorsCheckpoint(dir.path()), dir / "1.st" + ": ");
}

}  // namespace
}  // namespace gpt2
