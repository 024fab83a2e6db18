#include "common/data/npy.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <bit>
#include <charconv>
#include <cstring>
#include <optional>
#include <string_view>

#include "common/base/error.h"
#include "common/base/number.h"
#include "common/base/shell.h"

namespace gpt2 {
namespace {

static_assert(std::endian::native == std::endian::little, "'<' in a dtype is taken for the machine's order");

constexpr std::string_view kMagic = "\x93NUMPY";
constexpr size_t kPreamble = 10;  // magic, version (2 bytes), header length (2 bytes)

// Bytes per value of the dtypes that are read; 0 for any other.
size_t bytes_of(std::string_view descr) {
  if (descr == "<f4" || descr == "<i4") return 4;
  if (descr == "<i8") return 8;
  return descr == "<u2" ? 2 : 0;
}

template <class T>
constexpr std::string_view kDescr = "";
template <>
constexpr std::string_view kDescr<float> = "<f4";
template <>
constexpr std::string_view kDescr<int32_t> = "<i4";
template <>
constexpr std::string_view kDescr<int64_t> = "<i8";
template <>
constexpr std::string_view kDescr<uint16_t> = "<u2";

// Parses {'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }, with the keys in any order.
class HeaderParser {
 public:
  HeaderParser(std::string_view text, const std::string& where) : rest_(text), where_(where) {}

  NpyHeader parse() {
    bool has_order = false, has_shape = false;
    expect('{');
    while (!accept('}')) {
      const std::string_view key = string();
      expect(':');
      if (key == "descr" && header_.descr.empty()) {
        header_.descr = descr();
      } else if (key == "fortran_order" && !has_order) {
        has_order = true;
        require(word() == "False", "{}: fortran_order is not False; {}", where_, how_to_convert_npy(where_));
      } else if (key == "shape" && !has_shape) {
        has_shape = true;
        header_.shape = shape();
      } else {
        malformed();
      }
      if (!accept(',') && !next_is('}')) malformed();
    }
    skip_space();
    if (header_.descr.empty() || !has_order || !has_shape || !rest_.empty()) malformed();
    return header_;
  }

 private:
  [[noreturn]] void malformed() const { fail("{}: malformed .npy header; save the array again", where_); }

  void skip_space() { rest_.remove_prefix(std::min(rest_.find_first_not_of(" \n"), rest_.size())); }

  bool next_is(char c) {
    skip_space();
    return rest_.starts_with(c);
  }

  bool accept(char c) {
    const bool found = next_is(c);
    if (found) rest_.remove_prefix(1);
    return found;
  }

  void expect(char c) {
    if (!accept(c)) malformed();
  }

  std::string_view take(size_t length) {
    const std::string_view taken = rest_.substr(0, length);
    rest_.remove_prefix(taken.size());
    return taken;
  }

  std::string_view string() {
    skip_space();
    const char quote = rest_.empty() ? '\0' : rest_.front();
    if (quote != '\'' && quote != '"') malformed();
    rest_.remove_prefix(1);
    const std::string_view text = take(rest_.find(quote));
    expect(quote);
    return text;
  }

  std::string_view word() {
    skip_space();
    return take(rest_.find_first_of(" \n,}"));
  }

  std::string descr() {
    if (next_is('[')) fail("{}: a structured array cannot be read; save a plain one", where_);
    const std::string_view text = string();
    const bool is_name = !text.empty() && text.size() <= 8 &&
                         std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c <= '~'; });
    require(bytes_of(text) > 0, "{}: its dtype {}is not one of <f4, <i4, <i8, <u2; {}", where_,
            is_name ? fmt::format("{} ", text) : "", how_to_convert_npy(where_));
    return std::string(text);
  }

  std::vector<int64_t> shape() {
    std::vector<int64_t> sizes;
    expect('(');
    while (!accept(')')) {
      skip_space();
      int64_t size = -1;
      const auto [end, error] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), size);
      if (error != std::errc() || size < 0) malformed();
      rest_.remove_prefix(static_cast<size_t>(end - rest_.data()));
      sizes.push_back(size);
      if (!accept(',') && !next_is(')')) malformed();
    }
    return sizes;
  }

  std::string_view rest_;
  const std::string& where_;
  NpyHeader header_;
};

// nullopt if the product overflows.
std::optional<int64_t> byte_count(std::vector<int64_t> shape, size_t bytes_per_value) {
  shape.push_back(static_cast<int64_t>(bytes_per_value));
  return product(shape);
}

}  // namespace

std::string how_to_convert_npy(const std::string& path) {
  return fmt::format(
      "make a shard of token ids with: python3 -c 'import numpy as np, sys; ids = "
      "np.load(sys.argv[1]).ravel(); "
      "assert 0 <= ids.min() <= ids.max() < 65536; np.save(sys.argv[2], ids.astype(\"<u2\"))' {} {}",
      shell_word(path), shell_word(path.substr(0, path.rfind('.')) + "_u2.npy"));
}

NpyHeader parse_npy_header(std::span<const std::byte> beginning, int64_t file_size,
                           const std::string& where) {
  const std::string_view text(reinterpret_cast<const char*>(beginning.data()), beginning.size());
  require(text.starts_with(kMagic), "{}: not a .npy file (its first bytes are not \\x93NUMPY)", where);
  require(text.size() >= kPreamble, "{}: the file ends within its header; save it again", where);
  const int major = static_cast<unsigned char>(text[6]), minor = static_cast<unsigned char>(text[7]);
  require(major == 1 && minor == 0, "{}: .npy version {}.{}; only 1.0 is read; {}", where, major, minor,
          how_to_convert_npy(where));
  uint16_t length;
  std::memcpy(&length, &text[8], sizeof length);
  require(text.size() >= kPreamble + length, "{}: the file ends within its header; save it again", where);

  NpyHeader header = HeaderParser(text.substr(kPreamble, length), where).parse();
  header.size = static_cast<int64_t>(kPreamble) + length;
  require(byte_count(header.shape, bytes_of(header.descr)) == file_size - header.size,
          "{}: {} bytes of values do not fill shape ({}) of {}; the file is damaged, save it again", where,
          file_size - header.size, fmt::join(header.shape, ", "), header.descr);
  return header;
}

NpyArray parse_npy(std::span<const std::byte> file, const std::string& where) {
  NpyHeader header = parse_npy_header(file, static_cast<int64_t>(file.size()), where);
  return {std::move(header.descr), std::move(header.shape), file.subspan(static_cast<size_t>(header.size))};
}

template <class T>
std::vector<T> NpyFile::values() const {
  require(array_.descr == kDescr<T>, "{}: its dtype is {}, not {}", file_.path(), array_.descr, kDescr<T>);
  std::vector<T> values(array_.bytes.size() / sizeof(T));
  if (!values.empty()) std::memcpy(values.data(), array_.bytes.data(), array_.bytes.size());
  return values;
}

template std::vector<float> NpyFile::values() const;
template std::vector<int32_t> NpyFile::values() const;
template std::vector<int64_t> NpyFile::values() const;
template std::vector<uint16_t> NpyFile::values() const;

void write_npy(const std::string& path, std::span<const float> values, const std::vector<int64_t>& shape) {
  require(byte_count(shape, sizeof(float)) == static_cast<int64_t>(values.size_bytes()),
          "{}: {} values do not fill shape ({})", path, values.size(), fmt::join(shape, ", "));
  // A tuple of one needs its comma in Python: (3,).
  std::string header = fmt::format("{{'descr': '<f4', 'fortran_order': False, 'shape': ({}{}), }}",
                                   fmt::join(shape, ", "), shape.size() == 1 ? "," : "");
  // Spaces, then a line feed: the values begin at a multiple of 64 bytes.
  const size_t end = (kPreamble + header.size() + 1 + 63) / 64 * 64;
  header.resize(end - kPreamble - 1, ' ');
  header += '\n';
  const auto length = static_cast<uint16_t>(header.size());

  AtomicFile file(path);
  file.write(kMagic);
  file.write(std::string_view("\x01\x00", 2));
  file.write(std::as_bytes(std::span(&length, 1)));
  file.write(header);
  file.write(std::as_bytes(values));
  file.commit();
}

}  // namespace gpt2
