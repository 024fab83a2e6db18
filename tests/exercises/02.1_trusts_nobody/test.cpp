#include "reader.h"

#include <functional>
#include <optional>

#include "tests/exercises/exercise.h"

namespace {

using exercise::Draw;

// A tensor as the header shows it. Numbers are texts, so that they can be anything.
struct Entry {
  std::string name, dtype;
  std::vector<std::string> shape;
  std::string begin, end;
};

struct File {
  std::vector<Entry> tensors;
  std::string data;
  std::optional<uint64_t> length = {};  // the header's, if it is a lie

  Entry& operator[](const std::string& name) {
    return *std::find_if(tensors.begin(), tensors.end(),
                         [&](const Entry& entry) { return entry.name == name; });
  }
};

std::string header_of(const File& file) {
  std::vector<std::string> entries;
  for (const Entry& each : file.tensors)
    entries.push_back(fmt::format(R"("{}": {{"dtype": "{}", "shape": [{}], "data_offsets": [{}, {}]}})",
                                  each.name, each.dtype, fmt::join(each.shape, ", "), each.begin, each.end));
  return fmt::format("{{{}}}", fmt::join(entries, ", "));
}

std::vector<std::byte> bytes_of(const std::string& text) {
  const auto* begin = reinterpret_cast<const std::byte*>(text.data());
  return {begin, begin + text.size()};
}

std::vector<std::byte> bytes_of(const File& file, const std::string& header) {
  const uint64_t length = file.length.value_or(header.size());
  return bytes_of(file.data + header + std::string(reinterpret_cast<const char*>(&length), sizeof length));
}

std::vector<std::byte> bytes_of(const File& file) { return bytes_of(file, header_of(file)); }

// Adds a tensor behind the others, with random bytes.
void add(File& file, Draw& draw, const std::string& name, const std::string& dtype,
         std::vector<int64_t> shape, int64_t bytes_of_value) {
  Entry entry{name, dtype, {}, std::to_string(file.data.size()), ""};
  for (const int64_t dimension : shape)
    entry.shape.push_back(std::to_string(dimension)), bytes_of_value *= dimension;
  for (int64_t i = 0; i < bytes_of_value; ++i) file.data += char(draw.integer(0, 255));
  entry.end = std::to_string(file.data.size());
  file.tensors.push_back(entry);
}

// wte: float32 (rows, 3); wpe: float16 (odd); ids: 5 to 9 bytes.
File good_file(Draw& draw) {
  File file;
  add(file, draw, "wte", "F32", {draw.integer(2, 6), 3}, 4);
  add(file, draw, "wpe", "F16", {2 * draw.integer(1, 4) + 1}, 2);
  add(file, draw, "ids", "U8", {draw.integer(5, 9)}, 1);
  return file;
}

// A line for each tensor, in the order of the names: name, dtype, shape, and its bytes.
using Contents = std::vector<std::string>;

template <class Shape>
std::string line_of(const std::string& name, const std::string& dtype, const Shape& shape,
                    const std::string& bytes) {
  return fmt::format("{} {} ({}) ", name, dtype, fmt::join(shape, ", ")) + bytes;
}

Contents read(const std::vector<std::byte>& file) {
  Contents contents;
  for (const auto& [name, tensor] : read_tensors(file))
    contents.push_back(line_of(name, tensor.dtype, tensor.shape,
                               {reinterpret_cast<const char*>(tensor.bytes.data()), tensor.bytes.size()}));
  return contents;
}

Contents expected(const File& file) {
  Contents contents;
  for (const Entry& each : file.tensors) {
    const size_t begin = std::stoul(each.begin), size = std::stoul(each.end) - begin;
    contents.push_back(line_of(each.name, each.dtype, each.shape, file.data.substr(begin, size)));
  }
  std::sort(contents.begin(), contents.end());
  return contents;
}

void check_good(const File& file, const std::string& header) {
  const auto contents = STUDENT(read(bytes_of(file, header)));
  CHECK(contents.size() == file.tensors.size(), "a good file: {} tensors, expected {}", contents.size(),
        file.tensors.size());
  CHECK(contents == expected(file), "a good file: a name, dtype, shape or the bytes of a tensor are wrong");
}
void check_good(const File& file) { check_good(file, header_of(file)); }

struct Damage {
  std::string what, tensor;  // that the message must name, if there is one
  std::function<void(File&)> make;
};

// A good file must be read, and each of the damaged ones be refused.
void check_damages(Draw& draw, const std::vector<Damage>& damages) {
  const File good = good_file(draw);
  WITH("no damage");
  check_good(good);
  for (const Damage& damage : damages) {
    File bad = good;
    damage.make(bad);
    WITH("{}", damage.what);
    const auto message = STUDENT_ERROR(read_tensors(bytes_of(bad)));
    CHECK(!message.empty(),
          "no error; whoever reads these tensors gets wrong values, or those of other memory");
    CHECK(message.find(damage.tensor) != std::string::npos,
          "the message is '{}': it should name the tensor {}", message, damage.tensor);
  }
}

// A damage of this tensor.
template <class Change>
std::function<void(File&)> in(const std::string& name, Change change) {
  return [=](File& file) { change(file[name]); };
}

std::string plus(const std::string& number, int64_t n) { return std::to_string(std::stoll(number) + n); }

}  // namespace

CASE("good files") {
  WITH("three tensors");
  check_good(good_file(draw));
  File all;
  add(all, draw, "scalar", "F32", {}, 4);
  add(all, draw, "empty", "F32", {0, 7}, 4);
  add(all, draw, "bf16", "BF16", {1, draw.integer(1, 5), 1}, 2);
  add(all, draw, "long", "I64", {draw.integer(1, 3)}, 8);
  add(all, draw, "also empty", "U8", {draw.integer(1, 9), 0}, 1);
  WITH("all dtypes, a scalar, empty tensors");
  check_good(all);
  std::reverse(all.tensors.begin(), all.tensors.end());
  WITH("the header lists the tensors from the last to the first, with spaces behind");
  check_good(all, header_of(all) + "   \n ");
  WITH("no tensors");
  check_good({}, "{}");
  WITH("metadata only");
  check_good({}, R"({"__metadata__": {"format": "pt"}})");
}

CASE("length of the header") {
  File file = good_file(draw);
  WITH("no damage");
  check_good(file);
  for (const int64_t size : {int64_t{0}, int64_t{1}, draw.integer(2, 6), int64_t{7}}) {
    WITH("a file of {} bytes", size);
    const auto message = STUDENT_ERROR(read_tensors(bytes_of(std::string(size_t(size), '\0'))));
    CHECK(!message.empty(), "no error, though these are fewer bytes than the length of the header has");
  }
  const uint64_t all = header_of(file).size() + file.data.size(), last = ~uint64_t{0};
  for (const uint64_t length :
       {all + 1, all + 8, all + 9, uint64_t{1} << 63, last, last - 7, last - 8, last - all, last - all - 7,
        last - all - 8, uint64_t{0}, header_of(file).size() - 1}) {
    file.length = length;
    WITH("the length says {}, the file has {} bytes", length, all + 8);
    const auto message = STUDENT_ERROR(read_tensors(bytes_of(file)));
    CHECK(!message.empty(), "no error");
  }
}

CASE("sizes and offsets") {
  check_damages(
      draw,
      {{"wpe has one byte less, and half a float16", "wpe",
        [](File& file) {
          file["wpe"].end = plus(file["wpe"].end, -1), file["ids"].begin = plus(file["ids"].begin, -1);
          file["ids"].shape = {plus(file["ids"].shape[0], 1)};
        }},
       {"ids ends one byte behind the data", "ids",
        [](File& file) {
          file["ids"].end = plus(file["ids"].end, 1), file["ids"].shape[0] = plus(file["ids"].shape[0], 1);
        }},
       {"ids ends in the header", "ids",
        [](File& file) {
          file["ids"].end = plus(file["ids"].end, 64), file["ids"].shape[0] = plus(file["ids"].shape[0], 64);
        }},
       {"ids begins and ends behind the data", "ids",
        in("ids", [](Entry& ids) { ids.begin = plus(ids.begin, 1000), ids.end = plus(ids.end, 1000); })},
       {"wte begins at -12", "wte",
        in("wte", [](Entry& wte) { wte.begin = "-12", wte.shape[0] = plus(wte.shape[0], 1); })},
       {"ids begins after its end", "ids", in("ids", [](Entry& ids) { std::swap(ids.begin, ids.end); })},
       {"ids begins at its end and has no bytes, but a shape", "ids",
        in("ids", [](Entry& ids) { ids.begin = ids.end; })},
       {"the shape of wte has a row too many", "wte",
        in("wte", [](Entry& wte) { wte.shape[0] = plus(wte.shape[0], 1); })},
       {"the shape of wte has two negative sizes", "wte",
        in("wte",
           [](Entry& wte) {
             wte.shape = {"-" + wte.shape[0], "-3"};
           })},
       {"the shape of wte is (-1)", "wte", in("wte", [](Entry& wte) { wte.shape = {"-1"}; })},
       {"wte is float16 now", "wte", in("wte", [](Entry& wte) { wte.dtype = "F16"; })},
       {"wte is F33", "wte", in("wte", [](Entry& wte) { wte.dtype = "F33"; })},
       {"wpe has no dtype", "wpe", in("wpe", [](Entry& wpe) { wpe.dtype = ""; })}});
}

// Numbers beyond any file. They have a case of their own, since a sanitizer ends the program that overflows.
CASE("huge numbers") {
  const std::string k = "9223372036854775807";  // 2^63 - 1
  check_damages(
      draw,
      {{"ids ends at 2^63 - 1", "ids", in("ids", [k](Entry& ids) { ids.end = k; })},
       {"wte begins at -2^63", "wte", in("wte", [](Entry& wte) { wte.begin = "-9223372036854775808"; })},
       {"an empty tensor of shape (2^32, 2^32)", "more",
        [](File& file) {
          file.tensors.push_back(
              {"more", "U8", {"4294967296", "4294967296"}, file["ids"].end, file["ids"].end});
        }},
       {"an empty tensor of shape (2^62) of float32", "more",
        [](File& file) {
          file.tensors.push_back({"more", "F32", {"4611686018427387904"}, file["ids"].end, file["ids"].end});
        }},
       {"wte has the shape (2^63 - 1, 2^63 - 1)", "wte", in("wte", [k](Entry& wte) {
          wte.shape = {k, k};
        })}});
}

CASE("overlaps and gaps") {
  check_damages(draw, {{"all tensors share the first bytes", "",
                        [](File& file) {
                          for (Entry& each : file.tensors)
                            each.begin = "0", each.end = "4", each.dtype = "F32", each.shape = {};
                          file.data.resize(4);
                        }},
                       {"wpe begins two bytes early, and overlaps wte", "",
                        [](File& file) {
                          file["wpe"].begin = plus(file["wpe"].begin, -2),
                          file["wpe"].shape[0] = plus(file["wpe"].shape[0], 1);
                        }},
                       {"wpe begins two bytes late: two bytes belong to no tensor", "",
                        [](File& file) {
                          file["wpe"].begin = plus(file["wpe"].begin, 2),
                          file["wpe"].shape[0] = plus(file["wpe"].shape[0], -1);
                        }},
                       {"a byte behind the last tensor", "", [](File& file) { file.data += 'x'; }},
                       {"a tensor inside of wte", "",
                        [](File& file) {
                          file.tensors.push_back({"inside", "U8", {"4"}, "4", "8"});
                        }},
                       {"no tensor for the bytes", "", [](File& file) { file.tensors.clear(); }}});
}
