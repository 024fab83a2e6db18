#include "common/data/file_kind.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <span>

#include "common/base/error.h"
#include "common/base/file.h"
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
    Format{"\xc6\xd7\x34\x01"sv, 0, "weights of llm.c, not text; 02_hf_weights reads Hugging Face's layout"},
    Format{"\xc8\xd7\x34\x01"sv, 0, "a tokenizer of llm.c, not text"},
    Format{"\x8a\xd8\x34\x01"sv, 0, "llm.c's HellaSwag items; --hellaswag reads hellaswag_val.jsonl"},
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
           "an Arrow table; in Python, datasets.Dataset.from_file(\"{}\").to_json(\"text.jsonl\") makes JSON "
           "Lines of it"},
    Format{"%PDF-"sv, 0, "a PDF document; make a text of it with: pdftotext {}"},
    Format{"{\\rtf"sv, 0, "an RTF document; save it as plain text"},
    Format{"version https://git-lfs."sv, 0,
           "a Git LFS pointer, not the file itself; fetch that with: git lfs pull"},
    Format{"\xff\xfe\0\0"sv, 0,
           "text in UTF-32; make UTF-8 of it with: iconv -f UTF-32 -t UTF-8 {} > text.txt"},
    Format{"\xff\xfe"sv, 0, "text in UTF-16; make UTF-8 of it with: iconv -f UTF-16 -t UTF-8 {} > text.txt"},
    Format{"\xfe\xff"sv, 0, "text in UTF-16; make UTF-8 of it with: iconv -f UTF-16 -t UTF-8 {} > text.txt"}};

bool is_json_with_text(std::string_view line) {
  const auto object = nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
  return object.is_object() && object.contains("text") && object["text"].is_string();
}

bool is_json_lines(const std::string& path, std::string_view beginning) {
  if (path.ends_with(".jsonl") || path.ends_with(".ndjson")) return true;
  return beginning.starts_with('{') && is_json_with_text(beginning.substr(0, beginning.find('\n')));
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
    return fmt::format(fmt::runtime(format.what), path) + (packed ? kPacked : "");
  }
  if (path.ends_with(".bin") && !beginning.empty()) return how_to_make_shard(path);
  const size_t nul =
      beginning.substr(0, 8000).find('\0');  // git uses the same rule to recognise binary files
  return nul == beginning.npos ? "" : fmt::format("not text: it has a NUL byte at offset {}", nul);
}

std::string kind_unless_text(const std::string& path, std::string_view beginning) {
  const std::string kind = binary_kind(path, beginning);
  if (!kind.empty() || !is_json_lines(path, beginning)) return kind;
  return fmt::format(
      "JSON Lines, not text; make a text of them with: jq -j '.text + \"{}\"' {} > text.txt, or shards for "
      "13_fineweb with tokenize",
      kEndOfText, path);
}

std::string binary_kind(const std::string& path) { return binary_kind(path, beginning_of(path)); }

std::string how_to_make_shard(const std::string& path) {
  const std::string shard = path.substr(0, path.rfind('.')) + ".npy";
  return fmt::format(
      "neither text nor a token shard; if it holds uint16 ids like nanoGPT's train.bin, make a shard for "
      "13_fineweb "
      "of it with: python3 -c "
      "'import numpy as np; np.save(\"{}\", np.memmap(\"{}\", \"<u2\", \"r\"))'",
      shard, path);
}

}  // namespace gpt2
