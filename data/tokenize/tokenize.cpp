#include "data/tokenize/tokenize.h"

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <optional>
#include <span>

#include "common/app/program.h"
#include "common/base/digest.h"
#include "common/base/error.h"
#include "common/base/file.h"
#include "common/data/documents.h"
#include "common/data/shards.h"
#include "common/text/utf8.h"
#include "data/tokenize/in_order.h"
#include "data/tokenize/manifest.h"
#include "data/tokenize/output.h"

namespace gpt2 {
namespace {

namespace fs = std::filesystem;

// Reads the files one after another, in blocks.
class Corpus {
 public:
  Corpus(const std::vector<std::string>& patterns) {
    for (const std::string& pattern : patterns) {
      for (const std::string& path : expand_pattern(pattern)) {
        files_.push_back(path);
        BlockReader check(path);  // finds unreadable files now, not after hours
        bytes_before_.push_back(total_bytes());
        bytes_before_.back() += int64_t(fs::file_size(path));
      }
    }
  }

  void go_to(const Place& place) {
    place_ = place;
    reader_.reset();
  }

  // Reads the files once for their digests. From then on, next() throws if a file changes.
  void identify() {
    for (const std::string& path : files_)
      identities_.push_back({RandomAccessFile(path).stamp(), digest_of_file(path)});
  }

  // "a.txt, 1115394 bytes, digest 0123456789abcdef" for each file. The folders do not count.
  std::vector<std::string> identities() const {
    std::vector<std::string> texts;
    for (size_t i = 0; i < files_.size(); ++i) {
      const auto& [stamp, digest] = identities_[i];
      texts.push_back(fmt::format("{}, {} bytes, digest {}",
                                  printable_line(fs::path(files_[i]).filename().string()), stamp.size,
                                  to_hex(digest)));
    }
    return texts;
  }

  // Gets the next block and its position; false at the end. After go_to() it is the block at that position.
  bool next(Block& block, Place& place) {
    for (; place_.file < files_.size(); place_ = {.file = place_.file + 1, .start = {}}) {
      if (!reader_) reader_.emplace(files_[place_.file], place_.start);
      if (reader_->next(block)) {
        place = {place_.file, block.start, std::exchange(place_.skip, 0)};
        return true;
      }
      reader_.reset();
      require_unchanged(place_.file);
    }
    return false;
  }

  const std::vector<std::string>& files() const { return files_; }
  int64_t total_bytes() const { return bytes_before_.empty() ? 0 : bytes_before_.back(); }
  int64_t bytes_read() const {  // of the files on disk
    const int64_t before = place_.file == 0 ? 0 : bytes_before_[place_.file - 1];
    return before + (reader_ ? reader_->file_position() : 0);
  }

 private:
  struct Identity {
    RandomAccessFile::Stamp stamp;
    uint64_t digest;
  };

  void require_unchanged(size_t i) const {
    const bool is_same = RandomAccessFile(files_[i]).stamp() == identities_[i].stamp ||
                         digest_of_file(files_[i]) == identities_[i].digest;
    require(is_same, "{}: changed while it was read; move the shards away and start over", files_[i]);
  }

  std::vector<std::string> files_;
  std::vector<Identity> identities_;
  std::vector<int64_t> bytes_before_;  // for each file, the total size up to its end
  Place place_;
  std::optional<BlockReader> reader_;
};

// The progress: one line on the terminal, rewritten at most five times a second.
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
    app::flush_output();
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

// The settings on which the shards' contents depend.
nlohmann::ordered_json settings_of(const TokenizeOptions& options, const Corpus& corpus,
                                   const Tokenizer& tokenizer) {
  return {{"files", corpus.identities()},
          {"--tokenizer", identity(tokenizer)},
          {"--shard-tokens", options.shard_tokens},
          {"--val-tokens", options.val_tokens}};
}

// The default number of validation tokens: one shard, but at most about a tenth of the corpus. The first
// blocks of a few files give an estimate of the tokens per byte.
int64_t suitable_val_tokens(const TokenizeOptions& options, const Corpus& corpus,
                            const Tokenizer& tokenizer) {
  constexpr size_t kFiles = 8;
  const auto& files = corpus.files();
  double tokens = 0, bytes = 0;
  for (size_t i = 0; i < std::min(kFiles, files.size()); ++i) {
    BlockReader reader(files[i * files.size() / std::min(kFiles, files.size())]);
    Block block;
    if (!reader.next(block)) continue;
    tokens += double(encode_block(tokenizer, block).size());
    const double served = double(block.text.size());
    bytes += double(reader.file_position()) * served / (served + double(reader.unserved()));
  }
  const double share = tokens / std::max(bytes, 1.0) * double(corpus.total_bytes()) / 10;
  return int64_t(std::clamp(share, 1.0, double(options.shard_tokens)));
}

// The manifest to continue from, or a new one, which is written with the first shard.
Manifest begin(const TokenizeOptions& options, const Corpus& corpus, const Tokenizer& tokenizer,
               bool is_there) {
  const auto settings = settings_of(options, corpus, tokenizer);
  if (!is_there) return {.settings = settings, .shards = {}, .next = {}};
  Manifest manifest = read_manifest(manifest_path(options), settings, options);
  fmt::print("{}: {} shards are here{}\n", printable_line(options.out), manifest.shards.size(),
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
  require(!options.prefix.empty() && options.prefix.find('/') == std::string::npos,
          "--prefix {}: it begins the shards' names; give a name without /", options.prefix);
  if (options.threads == 0) options.threads = int64_t(std::max(1u, std::thread::hardware_concurrency()));
  Corpus corpus(options.files);
  const auto tokenizer = open_tokenizer(options.tokenizer);
  const OutputFolder folder(options);
  const bool is_there = fs::exists(manifest_path(options));
  if (options.val_tokens < 0) {
    options.val_tokens =
        is_there ? val_tokens_in(manifest_path(options)) : suitable_val_tokens(options, corpus, *tokenizer);
  }
  corpus.identify();
  Manifest manifest = begin(options, corpus, *tokenizer, is_there);
  folder.clean(manifest.shards, is_there);
  if (manifest.done) return;
  if (given.val_tokens < 0 && !is_there)
    fmt::print("--val-tokens {}: the default for this corpus\n", options.val_tokens);
  corpus.go_to(manifest.next);
  Progress progress(corpus.bytes_read(), corpus.total_bytes());
  Shards shards(options, std::move(manifest));

  const size_t kPending = size_t(4 * options.threads);  // blocks in memory: enough to keep every thread busy
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
