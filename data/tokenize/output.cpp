#include "data/tokenize/output.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "common/app/program.h"
#include "common/base/error.h"
#include "common/data/shards.h"
#include "common/text/utf8.h"

namespace gpt2 {
namespace {

namespace fs = std::filesystem;

bool are_digits(std::string_view text, size_t least) {
  return text.size() >= least && text.find_first_not_of("0123456789") == text.npos;
}

// Whether a file's name is exactly that of a shard: PREFIX_train_000001.bin. Files with similar names are not
// ours.
bool is_shard_name(const std::string& prefix, std::string_view name) {
  for (const char* part : {"_val_", "_train_"}) {
    const std::string beginning = prefix + part;
    if (!name.starts_with(beginning) || !name.ends_with(".bin")) continue;
    return are_digits(name.substr(beginning.size(), name.size() - beginning.size() - 4), 6);
  }
  return false;
}

// Whether it is the temporary file (common/base/file.h) of a shard or of the manifest.
bool is_temporary_name(const std::string& prefix, std::string_view name) {
  constexpr std::string_view kTemporary = ".tmp.";
  const size_t at = name.rfind(kTemporary);
  if (at == name.npos || !are_digits(name.substr(at + kTemporary.size()), 1)) return false;
  const std::string_view target = name.substr(0, at);
  return is_shard_name(prefix, target) || target == prefix + "_manifest.json";
}

// Whether the file at `path` is a shard with exactly these ids.
bool holds(const std::string& path, std::span<const uint16_t> ids) {
  try {
    const TokenShard shard(path, 1 << 16);
    if (shard.size() != int64_t(ids.size())) return false;
    std::vector<int32_t> chunk;
    for (size_t begin = 0; begin < ids.size(); begin += chunk.size()) {
      chunk.resize(std::min<size_t>(ids.size() - begin, 1 << 20));
      shard.read(int64_t(begin), chunk);
      if (!std::equal(chunk.begin(), chunk.end(), ids.begin() + int64_t(begin))) return false;
    }
    return true;
  } catch (const Error&) {
    return false;  // not a shard
  }
}

}  // namespace

OutputFolder::OutputFolder(const TokenizeOptions& options)
    : options_(options), lock_path_(fs::path(options.out) / fmt::format(".{}.lock", options.prefix)) {
  make_folders();
  lock();
}

OutputFolder::~OutputFolder() {
  std::error_code none;
  if (lock_ >= 0) {
    fs::remove(lock_path_, none);
    ::close(lock_);
  }
  for (const fs::path& folder : made_) fs::remove(folder, none);  // fails if it is not empty
}

void OutputFolder::make_folders() {
  std::error_code error;
  for (fs::path folder = fs::absolute(options_.out).lexically_normal(); !fs::exists(folder, error);
       folder = folder.parent_path()) {
    made_.push_back(folder);
  }
  fs::create_directories(options_.out, error);
  require(fs::is_directory(options_.out, error), "--out {}: cannot make this folder", options_.out);
}

void OutputFolder::lock() {
  for (;;) {
    lock_ = ::open(lock_path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0666);
    require(lock_ >= 0, "--out {}: cannot write there: {}", options_.out, std::strerror(errno));
    // Some network file systems have no locks: only a lock held by another process is an error.
    if (::flock(lock_, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
      ::close(std::exchange(lock_, -1));
      fail(
          "--out {}: another tokenize is writing {}_*.bin there; wait for its end, or name another --out or "
          "--prefix",
          options_.out, options_.prefix);
    }
    // The previous holder may have removed the file meanwhile. Then the path is missing or names another
    // file.
    struct stat held {
    }, named{};
    const bool same = ::fstat(lock_, &held) == 0 && ::stat(lock_path_.c_str(), &named) == 0 &&
                      held.st_ino == named.st_ino && held.st_dev == named.st_dev;
    if (same) return;
    ::close(std::exchange(lock_, -1));
  }
}

void OutputFolder::clean(const std::vector<Manifest::Shard>& made, bool has_manifest) const {
  const size_t next = made.size() + (options_.val_tokens == 0 ? 1 : 0);
  for (const auto& entry : fs::directory_iterator(options_.out)) {
    const std::string name = entry.path().filename();
    if (is_temporary_name(options_.prefix, name)) fs::remove(entry.path());
    if (!is_shard_name(options_.prefix, name)) continue;
    const bool is_listed =
        std::any_of(made.begin(), made.end(), [&](const auto& shard) { return shard.file == name; });
    require(is_listed || (has_manifest && name == shard_name(options_.prefix, next)),
            "--out {}: has {}, which {}; move it away, or name another --out or --prefix", options_.out, name,
            has_manifest ? "its manifest does not list" : "no manifest lists");
  }
}

Shards::Shards(const TokenizeOptions& options, Manifest manifest)
    : options_(options), manifest_(std::move(manifest)), number_(manifest_.shards.size()) {
  if (options_.val_tokens == 0) ++number_;  // training shards are counted from 1
}

void Shards::add(Place place, std::span<const int32_t> ids) {
  require(place.skip <= int64_t(ids.size()), "{}: no token {} in the block at byte {}; was it edited?",
          manifest_path(options_), place.skip, place.start.offset);
  while (place.skip < int64_t(ids.size())) {
    // A full shard is written only when more ids follow: if the corpus fits in the validation shard, no file
    // may be left.
    if (int64_t(buffer_.size()) == capacity()) write(place, false);
    const auto rest = ids.subspan(size_t(place.skip));
    const size_t n = std::min(rest.size(), size_t(capacity()) - buffer_.size());
    buffer_.insert(buffer_.end(), rest.begin(), rest.begin() + int64_t(n));
    place.skip += int64_t(n);
  }
}

void Shards::finish(const Place& end) {
  require(!buffer_.empty() || manifest_.shards.empty(),
          "{}: the corpus has nothing for shard {}; was it edited?", manifest_path(options_), number_);
  require(!buffer_.empty(), "the corpus is empty");
  require(!is_val(),
          "the corpus has only {} tokens, and the first {} are for validation; give a smaller --val-tokens",
          buffer_.size(), options_.val_tokens);
  write(end, true);
  wait();
}

void Shards::write(const Place& next, bool last) {
  wait();
  const std::string name = shard_name(options_.prefix, number_);
  ++number_;
  writing_ = std::async(std::launch::async, [this, name, next, last, ids = std::exchange(buffer_, {})] {
    const std::string path = fs::path(options_.out) / name, manifest = manifest_path(options_);
    // The manifest is written before the first shard, so a run that is killed between the two can be
    // continued.
    if (manifest_.shards.empty()) write_manifest(manifest, manifest_);
    const bool is_there = fs::exists(path);
    require(!is_there || holds(path, ids),
            "{}: already exists with other content; move it away, or name another --out or --prefix", path);
    const uint64_t digest = is_there ? digest_of_file(path) : write_shard(path, ids);
    manifest_.shards.push_back({name, int64_t(ids.size()), digest});
    manifest_.next = next;
    manifest_.done = last;
    write_manifest(manifest, manifest_);
  });
  buffer_.reserve(size_t(std::min<int64_t>(capacity(), 1 << 28)));
}

void Shards::wait() {
  if (!writing_.valid()) return;
  writing_.get();
  const Manifest::Shard& shard = manifest_.shards.back();
  fmt::print("{}{}: {} tokens\n", isatty(STDOUT_FILENO) ? "\r\033[K" : "", printable_line(shard.file),
             shard.tokens);
  app::flush_output();
}

}  // namespace gpt2
