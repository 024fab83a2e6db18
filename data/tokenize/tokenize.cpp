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
#include "common/base/error.h"
#include "common/data/documents.h"
#include "common/data/shards.h"
#include "common/text/utf8.h"
#include "data/tokenize/in_order.h"
#include "data/tokenize/manifest.h"
#include "data/tokenize/output.h"

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

// What a shard's contents depend on.
nlohmann::ordered_json settings_of(const TokenizeOptions& options, const Corpus& corpus) {
  nlohmann::ordered_json files = nlohmann::ordered_json::array();
  for (const std::string& file : corpus.files()) files.push_back({file, fs::file_size(file)});
  return {{"files", files},
          {"--tokenizer", options.tokenizer},
          {"--shard-tokens", options.shard_tokens},
          {"--val-tokens", options.val_tokens}};
}

// The number of tokens for validation that suits the corpus: as many as a shard has, at most about a tenth. The first
// blocks of a few files tell how many tokens a byte makes.
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

// The manifest to go on from, or a new one, which is written with the first shard.
Manifest begin(const TokenizeOptions& options, const Corpus& corpus, bool is_there) {
  const auto settings = settings_of(options, corpus);
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
  Manifest manifest = begin(options, corpus, is_there);
  folder.clean(manifest.shards, is_there);
  if (manifest.done) return;
  if (given.val_tokens < 0 && !is_there)
    fmt::print("--val-tokens {}: the default for this corpus\n", options.val_tokens);
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
