#include "data/tokenize/tokenize.h"

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <optional>
#include <span>

#include "common/base/error.h"
#include "common/data/documents.h"
#include "common/data/shards.h"
#include "data/tokenize/in_order.h"
#include "data/tokenize/manifest.h"

namespace gpt2 {
namespace {

namespace fs = std::filesystem;

// The files, one after the other, in blocks.
class Corpus {
 public:
  Corpus(const std::vector<std::string>& patterns) {
    for (const std::string& pattern : patterns) {
      for (const std::string& path : expand_pattern(pattern)) {
        files_.push_back(path);
        BlockReader check(path);  // a name or file that cannot be read is found now, not after hours
        bytes_before_.push_back(total_bytes());
        bytes_before_.back() += int64_t(fs::file_size(path));
      }
    }
  }

  void go_to(const Place& place) {
    place_ = place;
    reader_.reset();
  }

  // The next block and where it is; false at the end. The first after go_to() is the one with that place.
  bool next(Block& block, Place& place) {
    for (; place_.file < files_.size(); place_ = {.file = place_.file + 1, .start = {}}) {
      if (!reader_) reader_.emplace(files_[place_.file], place_.start);
      if (reader_->next(block)) {
        place = {place_.file, block.start, std::exchange(place_.skip, 0)};
        return true;
      }
      reader_.reset();
    }
    return false;
  }

  const std::vector<std::string>& files() const { return files_; }
  int64_t total_bytes() const { return bytes_before_.empty() ? 0 : bytes_before_.back(); }
  int64_t bytes_read() const {  // as the files lie on disk
    const int64_t before = place_.file == 0 ? 0 : bytes_before_[place_.file - 1];
    return before + (reader_ ? reader_->file_position() : 0);
  }

 private:
  std::vector<std::string> files_;
  std::vector<int64_t> bytes_before_;  // the end of each file, in bytes from the first one's beginning
  Place place_;
  std::optional<BlockReader> reader_;
};

// Ids in, shards out, each written while the next is filled.
class Shards {
 public:
  Shards(const TokenizeOptions& options, Manifest manifest)
      : options_(options), manifest_(std::move(manifest)), number_(manifest_.shards.size()) {
    if (options_.val_tokens == 0) ++number_;  // training shards are counted from 1
  }

  // Ids of the block at `place`, of which the first place.skip are in a shard already.
  void add(Place place, std::span<const int32_t> ids) {
    while (place.skip < int64_t(ids.size())) {
      const auto rest = ids.subspan(size_t(place.skip));
      const size_t n = std::min(rest.size(), size_t(capacity()) - buffer_.size());
      buffer_.insert(buffer_.end(), rest.begin(), rest.begin() + int64_t(n));
      place.skip += int64_t(n);
      if (int64_t(buffer_.size()) == capacity()) write(place, false);
    }
  }

  // What is left is the last shard.
  void finish(const Place& end) {
    require(options_.val_tokens == 0 || number_ > 1 || (number_ == 1 && !buffer_.empty()),
            "the corpus has only {} tokens, and the first {} are for validation; give a smaller --val-tokens",
            buffer_.size() + (number_ > 0 ? size_t(options_.val_tokens) : 0), options_.val_tokens);
    require(number_ > 1 || !buffer_.empty(), "the corpus is empty");
    if (!buffer_.empty()) write(end, true);
    wait();
    manifest_.done = true;
    write_manifest(manifest_path(options_), manifest_);
  }

  static std::string manifest_path(const TokenizeOptions& options) {
    return fs::path(options.out) / (options.prefix + "_manifest.json");
  }

  size_t count() const { return manifest_.shards.size(); }

 private:
  bool is_val() const { return number_ == 0; }
  int64_t capacity() const { return is_val() ? options_.val_tokens : options_.shard_tokens; }

  void write(const Place& next, bool last) {
    wait();
    const std::string name =
        fmt::format("{}_{}_{:06}.bin", options_.prefix, is_val() ? "val" : "train", number_);
    ++number_;
    writing_ = std::async(std::launch::async, [this, name, next, last, ids = std::exchange(buffer_, {})] {
      write_shard(fs::path(options_.out) / name, ids);
      manifest_.shards.push_back({name, int64_t(ids.size())});
      manifest_.next = next;
      manifest_.done = last;
      write_manifest(manifest_path(options_), manifest_);
    });
    buffer_.reserve(size_t(std::min<int64_t>(capacity(), 1 << 28)));
  }

  void wait() {
    if (!writing_.valid()) return;
    writing_.get();
    const auto& [name, tokens] = manifest_.shards.back();
    fmt::print("{}{}: {} tokens\n", isatty(STDOUT_FILENO) ? "\r\033[K" : "", name, tokens);
    std::fflush(stdout);
  }

  const TokenizeOptions& options_;
  Manifest manifest_;
  size_t number_;  // of the shard that is being filled
  std::vector<uint16_t> buffer_;
  std::future<void> writing_;  // waits at its destruction: the last member
};

// How far it is: a line on the terminal that is written over, at most five times a second.
class Progress {
 public:
  Progress(int64_t begin, int64_t total) : begin_(begin), total_(total) {}

  void add(size_t text_bytes, size_t tokens) {
    text_bytes_ += double(text_bytes);
    tokens_ += tokens;
  }

  void show(int64_t bytes_read) {
    const double now = seconds();
    if (!isatty(STDOUT_FILENO) || now < shown_ + 0.2) return;
    shown_ = now;
    const double part = double(bytes_read - begin_) / double(std::max<int64_t>(total_ - begin_, 1));
    fmt::print("\r\033[K{:5.1f}% | {} tokens | {:.1f} MB/s | {:.0f} s left",
               100 * double(bytes_read) / double(total_), tokens_, text_bytes_ / 1e6 / now,
               part > 0 ? now / part - now : 0);
    std::fflush(stdout);
  }

  void done(int64_t threads) const {
    fmt::print("{} tokens from {:.1f} MB in {:.1f} s: {:.1f} MB/s with {} threads\n", tokens_,
               text_bytes_ / 1e6, seconds(), text_bytes_ / 1e6 / seconds(), threads);
  }

 private:
  using Clock = std::chrono::steady_clock;
  double seconds() const { return std::chrono::duration<double>(Clock::now() - start_).count(); }

  int64_t begin_, total_;
  Clock::time_point start_ = Clock::now();
  double shown_ = 0, text_bytes_ = 0;
  size_t tokens_ = 0;
};

// What a shard's contents depend on.
nlohmann::ordered_json settings_of(const TokenizeOptions& options, const Corpus& corpus) {
  nlohmann::ordered_json files = nlohmann::ordered_json::array();
  for (const std::string& file : corpus.files()) files.push_back({file, fs::file_size(file)});
  return {{"--tokenizer", options.tokenizer},
          {"--shard-tokens", options.shard_tokens},
          {"--val-tokens", options.val_tokens},
          {"files", files}};
}

// Removes what a run that was killed left half-written. Fails if there are shards that no manifest speaks of.
void clean_folder(const TokenizeOptions& options, bool has_manifest) {
  for (const auto& entry : fs::directory_iterator(options.out)) {
    const std::string name = entry.path().filename();
    if (!name.starts_with(options.prefix + "_")) continue;
    if (name.find(".tmp.") != name.npos) {
      fs::remove(entry.path());
    } else if (!has_manifest && name.ends_with(".bin")) {
      fail("--out {}: has {}, but no manifest of it; name another --out or --prefix", options.out, name);
    }
  }
}

// The manifest to go on from, or a new one.
Manifest begin(const TokenizeOptions& options, const Corpus& corpus) {
  require(!options.prefix.empty() && options.prefix.find('/') == std::string::npos,
          "--prefix {}: it begins the shards' names; give a name without /", options.prefix);
  std::error_code error;
  fs::create_directories(options.out, error);
  require(fs::is_directory(options.out), "--out {}: cannot make this folder", options.out);
  const std::string path = Shards::manifest_path(options);
  const bool is_there = fs::exists(path);
  clean_folder(options, is_there);
  const auto settings = settings_of(options, corpus);
  if (!is_there) {
    const Manifest manifest{.settings = settings, .shards = {}, .next = {}};
    write_manifest(path, manifest);  // before any shard: a run killed between the two goes on as well
    return manifest;
  }
  Manifest manifest = read_manifest(path, settings);
  fmt::print("{}: {} shards are here{}\n", options.out, manifest.shards.size(),
             manifest.done ? ", the corpus is done" : "; going on behind the last");
  return manifest;
}

std::unique_ptr<Tokenizer> open_tokenizer(const std::string& spec) {
  require(spec != "char", "--tokenizer char: its ids depend on the text; shards need byte or a folder");
  auto tokenizer = make_tokenizer(spec, "");
  require(tokenizer->vocab_size() <= 1 << 16, "--tokenizer {}: {} ids do not fit in a shard's 16 bits", spec,
          tokenizer->vocab_size());
  return tokenizer;
}

struct Encoded {
  Place place;
  size_t text_bytes = 0;
  std::vector<int32_t> ids;
};

}  // namespace

void tokenize(const TokenizeOptions& given) {
  TokenizeOptions options = given;
  if (options.val_tokens < 0) options.val_tokens = options.shard_tokens;
  if (options.threads == 0) options.threads = int64_t(std::max(1u, std::thread::hardware_concurrency()));
  Corpus corpus(options.files);
  const auto tokenizer = open_tokenizer(options.tokenizer);
  Manifest manifest = begin(options, corpus);
  if (manifest.done) return;
  corpus.go_to(manifest.next);
  Progress progress(corpus.bytes_read(), corpus.total_bytes());
  Shards shards(options, std::move(manifest));

  const size_t kPending = size_t(4 * options.threads);  // blocks in memory: enough that no thread waits
  InOrder<Encoded> encoders(options.threads);
  for (bool ended = false; !ended || encoders.pending() > 0;) {
    while (!ended && encoders.pending() < kPending) {
      Block block;
      Place place;
      ended = !corpus.next(block, place);
      if (ended) break;
      encoders.push([&tokenizer = *tokenizer, place, block = std::move(block)] {
        return Encoded{place, block.text.size(), encode_block(tokenizer, block)};
      });
    }
    if (encoders.pending() == 0) break;
    const Encoded encoded = encoders.pop();
    shards.add(encoded.place, encoded.ids);
    progress.add(encoded.text_bytes, encoded.ids.size() - size_t(encoded.place.skip));
    progress.show(corpus.bytes_read());
  }
  shards.finish({.file = corpus.files().size(), .start = {}});
  progress.done(options.threads);
}

}  // namespace gpt2
