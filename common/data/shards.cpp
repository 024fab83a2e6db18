#include "common/data/shards.h"

#include <fmt/ranges.h>
#include <glob.h>
#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cstring>
#include <exception>
#include <filesystem>
#include <iterator>

#include "common/base/course_data.h"
#include "common/base/digest.h"
#include "common/base/error.h"
#include "common/data/file_kind.h"
#include "common/data/npy.h"

namespace gpt2 {
namespace {

static_assert(std::endian::native == std::endian::little, "ids are copied as they lie in the file");
static_assert(kMaxShardHeader == kMaxNpyHeader);

constexpr int32_t kMagic = 20240520, kVersion = 1;
using BinHeader = std::array<int32_t, 256>;

ShardHeader parse_bin_header(std::span<const std::byte> beginning, int64_t file_size,
                             const std::string& where) {
  BinHeader header;
  require(beginning.size() >= sizeof header, "{}: the file ends within its header; fetch it again", where);
  std::memcpy(header.data(), beginning.data(), sizeof header);
  require(header[1] == kVersion, "{}: shard version {}; only {} is read", where, header[1], kVersion);
  const int64_t bytes = file_size - int64_t(sizeof header);
  require(bytes % 2 == 0, "{}: {} bytes of ids are an odd number, but an id has two; fetch it again", where,
          bytes);
  require(header[2] == bytes / 2, "{}: its header says {} ids, but {} follow; fetch it again", where,
          header[2], bytes / 2);
  return {.size = sizeof header, .count = header[2]};
}

ShardHeader parse_npy_shard(std::span<const std::byte> beginning, int64_t file_size,
                            const std::string& where) {
  const NpyHeader header = parse_npy_header(beginning, file_size, where);
  require(header.descr == "<u2" && header.shape.size() == 1,
          "{}: an array ({}) of {}, but a shard is one row of uint16 (<u2); {}", where,
          fmt::join(header.shape, ", "), header.descr, how_to_convert_npy(where));
  return {.size = header.size, .count = header.shape[0]};
}

ShardHeader header_of(const RandomAccessFile& file) {
  std::vector<std::byte> beginning(size_t(std::min(file.size(), kMaxShardHeader)));
  file.read(0, beginning);
  return parse_shard_header(beginning, file.size(), file.path());
}

// A corpus may have more files than the default limit of open files (1,024 on most systems).
void allow_open_files(size_t files) {
  constexpr size_t kOthers = 256;
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= files + kOthers) return;
  limit.rlim_cur = std::min<rlim_t>(limit.rlim_max, files + kOthers);
  ::setrlimit(RLIMIT_NOFILE, &limit);  // if this fails, open() fails later and reports it
}

// Throws if one pattern matches training and validation shards, by the names that FineWeb and llm.c give them.
void require_one_part(const std::string& pattern, const std::vector<std::string>& paths) {
  const auto first_of = [&](const std::string& part) -> std::string {
    for (const std::string& path : paths) {
      const std::string name = std::filesystem::path(path).filename();
      const size_t at = name.find("_" + part);
      if (at != name.npos && name.find_first_of("_.", at + 1) == at + 1 + part.size()) return name;
    }
    return "";
  };
  const std::string train = first_of("train"), val = first_of("val");
  require(
      train.empty() || val.empty(),
      "{}: it matches {} and {}, so the model would be trained on its validation data; give '*_train_*' and "
      "'*_val_*' apart, with --data and --val-data",
      pattern, train, val);
}

}  // namespace

TokenText::TokenText(std::vector<int32_t> ids) : ids_(std::move(ids)) {
  const uint64_t digest = digest_of(std::as_bytes(std::span(ids_)));
  identity_ = {.name = "text", .tokens = size(), .samples = digest, .content = digest};
}

void TokenText::read(int64_t begin, std::span<int32_t> ids) const {
  std::copy_n(ids_.begin() + begin, ids.size(), ids.begin());
}

ShardHeader parse_shard_header(std::span<const std::byte> beginning, int64_t file_size,
                               const std::string& where) {
  int32_t magic = 0;
  std::memcpy(&magic, beginning.data(), std::min(beginning.size(), sizeof magic));
  if (magic == kMagic) return parse_bin_header(beginning, file_size, where);
  const std::string_view text(reinterpret_cast<const char*>(beginning.data()), beginning.size());
  if (!text.starts_with("\x93NUMPY")) {
    const std::string kind = binary_kind(where, text);
    fail("{}: neither a .bin shard (its first int32 is {}, not {}) nor a .npy file{}{}", where, magic, kMagic,
         kind.empty() ? "; tokenize makes shards of texts" : ", but ", kind);
  }
  return parse_npy_shard(beginning, file_size, where);
}

TokenShard::TokenShard(std::string path, int64_t vocab_size)
    : file_(std::move(path)), stamp_(file_.stamp()), vocab_size_(vocab_size), header_(header_of(file_)) {
  identity_ = {.name = std::filesystem::path(this->path()).filename(),
               .tokens = size(),
               .samples = digest_of_samples()};
}

uint64_t TokenShard::digest_of_samples() const {
  constexpr int64_t kPieces = 16, kPiece = 1 << 14;
  const int64_t last = std::max<int64_t>(file_.size() - kPiece, 0);  // where the last piece begins
  std::vector<std::byte> piece(size_t(std::min(kPiece, file_.size())));
  Digest digest;
  for (int64_t i = 0; i < kPieces; ++i) {
    file_.read(last * i / (kPieces - 1), piece);
    digest.add(piece);
  }
  return digest.value();
}

uint64_t TokenShard::digest_of_all() const {
  std::vector<uint16_t> chunk(1 << 19);
  Digest digest;
  for (int64_t begin = 0; begin < size(); begin += int64_t(chunk.size())) {
    const auto ids = std::span(chunk).first(size_t(std::min(size() - begin, int64_t(chunk.size()))));
    read_checked(begin, ids);
    digest.add(std::as_bytes(ids));
  }
  return digest.value();
}

void TokenShard::check() {
  identity_.content = digest_of_all();
  require_unchanged();
}

void TokenShard::require_unchanged() const {
  const RandomAccessFile::Stamp now = file_.stamp();
  if (now == stamp_) return;
  const bool was_written = now.size != stamp_.size || now.modified_ns != stamp_.modified_ns;
  const bool was_checked = identity_.content != 0;
  const bool same = was_checked ? now.size == stamp_.size && digest_of_all() == identity_.content
                                : !was_written && digest_of_samples() == identity_.samples;
  require(same, "{}: its ids changed while the run was reading them; do not change the shards of a run",
          path());
  stamp_ = now;
}

void TokenShard::read_checked(int64_t begin, std::span<uint16_t> ids) const {
  file_.read(header_.size + 2 * begin, std::as_writable_bytes(ids));
  uint16_t largest = 0;
  for (const uint16_t id : ids) largest = std::max(largest, id);
  if (largest < vocab_size_) return;
  const auto wrong = std::find_if(ids.begin(), ids.end(), [this](uint16_t id) { return id >= vocab_size_; });
  fail(
      "{}: token {} at offset {} is outside the vocabulary ({}); is --tokenizer the one that made the "
      "shards?",
      path(), *wrong, begin + (wrong - ids.begin()), vocab_size_);
}

void TokenShard::read(int64_t begin, std::span<int32_t> ids) const {
  std::array<uint16_t, 2048> chunk;  // large enough for a window of T = 1024
  while (!ids.empty()) {
    const size_t n = std::min(ids.size(), chunk.size());
    read_checked(begin, std::span(chunk).first(n));
    std::copy_n(chunk.begin(), n, ids.begin());
    ids = ids.subspan(n);
    begin += int64_t(n);
  }
  require_unchanged();
}

void TokenShard::will_need(int64_t begin, int64_t n) const {
  file_.will_need(header_.size + 2 * begin, 2 * n);
}

bool names_shards(const std::string& data) { return data.ends_with(".bin") || data.ends_with(".npy"); }

std::vector<std::string> expand_pattern(const std::string& pattern) {
  if (pattern.find_first_of("*?[") == pattern.npos) return {pattern};
  glob_t found{};
  // A missing folder means no match; any other folder that cannot be read is an error.
  const auto stops = [](const char*, int reason) { return int(reason != ENOENT && reason != ENOTDIR); };
  // GLOB_TILDE: the shell does not expand ~ in a pattern that is quoted.
  const int status = ::glob(pattern.c_str(), GLOB_TILDE, stops, &found);
  const std::vector<std::string> paths(found.gl_pathv, found.gl_pathv + found.gl_pathc);
  ::globfree(&found);
  require(status == 0 || status == GLOB_NOMATCH, "{}: a folder on the way cannot be read", pattern);
  require(!paths.empty(), "{}: no file matches{}", pattern, how_to_download(pattern));
  return paths;
}

TokenSources text_source(std::vector<int32_t> ids) {
  TokenSources sources;
  sources.push_back(std::make_unique<TokenText>(std::move(ids)));
  return sources;
}

TokenSources open_shards(const std::string& pattern, int64_t vocab_size, int rank, int world) {
  const std::vector<std::string> paths = expand_pattern(pattern);
  require_one_part(pattern, paths);
  allow_open_files(paths.size());
  std::vector<std::unique_ptr<TokenShard>> shards(paths.size());
  std::vector<std::exception_ptr> errors(paths.size());  // an exception must not leave an OpenMP thread
#pragma omp parallel for schedule(dynamic)
  for (size_t i = 0; i < paths.size(); ++i) {
    try {
      shards[i] = std::make_unique<TokenShard>(paths[i], vocab_size);
      if (i % size_t(world) == size_t(rank)) shards[i]->check();
    } catch (...) {
      errors[i] = std::current_exception();
    }
  }
  for (const std::exception_ptr& error : errors) {
    if (error) std::rethrow_exception(error);
  }
  return {std::make_move_iterator(shards.begin()), std::make_move_iterator(shards.end())};
}

uint64_t write_shard(const std::string& path, std::span<const uint16_t> ids) {
  require(ids.size() <= INT32_MAX, "{}: {} ids are more than a shard's header can say", path, ids.size());
  BinHeader header{kMagic, kVersion, int32_t(ids.size())};
  AtomicFile file(path);
  file.write(std::as_bytes(std::span(header)));
  file.write(std::as_bytes(ids));
  return file.commit();
}

}  // namespace gpt2
