#include "common/data/file_kind.h"

#include <algorithm>
#include <array>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <span>

#include "common/base/error.h"
#include "common/base/file.h"
#include "common/base/shell.h"
#include "common/text/tokenizer.h"

namespace gpt2 {
namespace {

using namespace std::string_view_literals;

struct Format {
  std::string_view beginning;  // the bytes at `offset`
  size_t offset;
  const char* what;  // {}: the file's path
};

constexpr const char* kShard = "token ids, not text; 13_fineweb reads them if the name ends in {}";
constexpr const char* kPacked = "; tokenize makes shards of texts packed like this";

// If one beginning is a prefix of another, the longer one is listed first.
constexpr std::array kFormats = {
    Format{"\x88\xd8\x34\x01"sv, 0, kShard},
    Format{"\x93NUMPY"sv, 0, kShard},
    Format{"\xc6\xd7\x34\x01"sv, 0, "weights of llm.c, not text; --model reads them"},
    Format{"\xc8\xd7\x34\x01"sv, 0, "a tokenizer of llm.c, not text"},
    Format{"\x8a\xd8\x34\x01"sv, 0, "llm.c's HellaSwag items, not text; --hellaswag reads them"},
    Format{"\xa1\xd9\x34\x01"sv, 0, "llm.c's token ids of Llama 3; only GPT-2's, of 16 bits, are read"},
    Format{"\x1f\x8b"sv, 0, "a gzip archive; unpack it with: gzip -dk {}"},
    Format{"\x28\xb5\x2f\xfd"sv, 0, "a zstd archive; unpack it with: zstd -d {}"},
    Format{"\xfd"
           "7zXZ\0"sv,
           0, "an xz archive; unpack it with: xz -dk {}"},
    Format{"BZh"sv, 0, "a bzip2 archive; unpack it with: bzip2 -dk {}"},
    Format{"\x04\x22\x4d\x18"sv, 0, "an lz4 archive; unpack it with: lz4 -d {}"},
    Format{"PK\x03\x04"sv, 0,
           "a zip archive (as .docx, .npz and .pt files are), not text; look inside with: unzip -l {}"},
    Format{"7z\xbc\xaf\x27\x1c"sv, 0, "a 7z archive; unpack it with: 7z x {}"},
    Format{"ustar"sv, 257, "a tar archive; unpack it with: tar -xf {}"},
    Format{"PAR1"sv, 0,
           "a Parquet table; make JSON Lines of it with: python3 -c 'import pandas, sys; "
           "pandas.read_parquet(sys.argv[1]).to_json(\"text.jsonl\", orient=\"records\", lines=True)' {}"},
    Format{"ARROW1"sv, 0,
           "an Arrow table; make JSON Lines of it with: python3 -c 'import datasets, sys; "
           "datasets.Dataset.from_file(sys.argv[1]).to_json(\"text.jsonl\")' {}"},
    Format{"%PDF-"sv, 0, "a PDF document; make a text of it with: pdftotext {}"},
    Format{"{\\rtf"sv, 0, "an RTF document; save it as plain text"},
    Format{"\xff\xfe\0\0"sv, 0,
           "text in UTF-32; make UTF-8 of it with: iconv -f UTF-32 -t UTF-8 {} > text.txt"},
    Format{"\xff\xfe"sv, 0, "text in UTF-16; make UTF-8 of it with: iconv -f UTF-16 -t UTF-8 {} > text.txt"},
    Format{"\xfe\xff"sv, 0, "text in UTF-16; make UTF-8 of it with: iconv -f UTF-16 -t UTF-8 {} > text.txt"}};

bool ends_with_any(const std::string& path, std::initializer_list<const char*> endings) {
  return std::any_of(endings.begin(), endings.end(), [&](const char* end) { return path.ends_with(end); });
}

// Whether `text` is an object or an array in JSON, or the beginning of one. `is_cut`: the file goes on.
bool begins_json(std::string_view text, bool is_cut) {
  struct Position : nlohmann::json_sax<nlohmann::json> {
    size_t error = 0;
    bool null() override { return true; }
    bool boolean(bool) override { return true; }
    bool number_integer(number_integer_t) override { return true; }
    bool number_unsigned(number_unsigned_t) override { return true; }
    bool number_float(number_float_t, const string_t&) override { return true; }
    bool string(string_t&) override { return true; }
    bool binary(binary_t&) override { return true; }
    bool start_object(size_t) override { return true; }
    bool key(string_t&) override { return true; }
    bool end_object() override { return true; }
    bool start_array(size_t) override { return true; }
    bool end_array() override { return true; }
    bool parse_error(size_t at, const std::string&, const nlohmann::detail::exception&) override {
      error = at;
      return false;
    }
  } position;
  const bool whole = nlohmann::json::sax_parse(text.begin(), text.end(), &position);
  return whole || position.error + (is_cut ? 4 : 0) > text.size();  // it may be cut inside a character
}

// Whether the text is JSON, or JSON Lines: the first line, or more than that, is an object or array, and the next
// line begins another one, if there is a next line.
bool is_json(std::string_view beginning) {
  constexpr const char* kSpaces = " \t\r\n";
  constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
  const bool is_cut = beginning.size() == kBeginningBytes;
  if (beginning.starts_with(kByteOrderMark)) beginning.remove_prefix(kByteOrderMark.size());
  if (beginning.find_first_not_of(kSpaces) == beginning.npos) return false;
  beginning.remove_prefix(beginning.find_first_not_of(kSpaces));
  if (!beginning.starts_with('{') && !beginning.starts_with('[')) return false;
  const std::string_view line = beginning.substr(0, beginning.find('\n'));
  const size_t next = beginning.find_first_not_of(kSpaces, line.size());
  const bool goes_on = next == beginning.npos || beginning[next] == beginning[0];
  return (goes_on && nlohmann::json::accept(line)) || begins_json(beginning, is_cut);
}

// The format of a file of records whose bytes are text; empty if the file has no such format. A table is recognised by its name only.
std::string kind_of_records(const std::string& path, std::string_view beginning) {
  if (ends_with_any(path, {".csv", ".tsv"})) {
    return fmt::format(
        "a table, not text; make a text of its column \"text\" with: python3 -c 'import pandas, sys; "
        "print(*pandas.read_csv(sys.argv[1], sep=None, engine=\"python\")[\"text\"], sep=\"{}\", end=\"\")' "
        "{} > "
        "text.txt",
        kEndOfText, shell_word(path));
  }
  if (!ends_with_any(path, {".jsonl", ".ndjson", ".json"}) && !is_json(beginning)) return "";
  return fmt::format(
      "JSON, not text; make a text of its records with: jq -j '(arrays[] // .) | .text + \"{}\"' {} > "
      "text.txt{}",
      kEndOfText, shell_word(path),
      path.ends_with(".json") ? "" : ", or shards for 13_fineweb with tokenize");
}

std::string beginning_of(const std::string& path) {
  const RandomAccessFile file(path);
  std::string beginning(size_t(std::min(file.size(), int64_t(kBeginningBytes))), ' ');
  file.read(0, std::as_writable_bytes(std::span(beginning)));
  return beginning;
}

}  // namespace

std::string binary_kind(const std::string& path, std::string_view beginning) {
  for (const Format& format : kFormats) {
    if (format.offset > beginning.size() || !beginning.substr(format.offset).starts_with(format.beginning))
      continue;
    if (format.what == kShard) return fmt::format(kShard, beginning[0] == '\x93' ? ".npy" : ".bin");
    const bool packed = path.ends_with(".txt.gz") || path.ends_with(".txt.zst");
    return fmt::format(fmt::runtime(format.what), shell_word(path)) + (packed ? kPacked : "");
  }
  if (path.ends_with(".bin") && !beginning.empty()) return how_to_make_shard(path);
  const size_t nul =
      beginning.substr(0, 8000).find('\0');  // git uses the same rule to recognise binary files
  return nul == beginning.npos ? "" : fmt::format("not text: it has a NUL byte at offset {}", nul);
}

std::string kind_unless_text(const std::string& path, std::string_view text) {
  const std::string_view beginning = text.substr(0, kBeginningBytes);
  const std::string kind = binary_kind(path, beginning);
  if (!kind.empty()) return kind;
  const std::string records = kind_of_records(path, beginning);
  const size_t nul = records.empty() ? text.find('\0') : text.npos;
  return nul == text.npos ? records : fmt::format("not text: it has a NUL byte at offset {}", nul);
}

std::string binary_kind(const std::string& path) { return binary_kind(path, beginning_of(path)); }

std::string how_to_make_shard(const std::string& path) {
  const std::string shard = path.substr(0, path.rfind('.')) + ".npy";
  return fmt::format(
      "neither text nor a token shard; if it holds uint16 ids like nanoGPT's train.bin, make a shard for "
      "13_fineweb of it with: python3 -c 'import numpy as np, sys; np.save(sys.argv[2], "
      "np.memmap(sys.argv[1], "
      "\"<u2\", \"r\"))' {} {}",
      shell_word(path), shell_word(shard));
}

}  // namespace gpt2
