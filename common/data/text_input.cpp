#include "common/data/text_input.h"

#ifdef GPT2_HAVE_ZLIB
#include <zlib.h>
#endif
#ifdef GPT2_HAVE_ZSTD
#include <zstd.h>
#endif

#include <algorithm>
#include <cstddef>
#include <new>
#include <vector>

#include "common/base/error.h"
#include "common/base/file.h"

namespace gpt2 {
namespace {

// The bytes of the file, in pieces.
class PlainInput final : public TextInput {
 public:
  explicit PlainInput(const std::string& path) : file_(path) {}

  size_t read(std::span<char> buffer) override {
    const size_t n = size_t(std::min(int64_t(buffer.size()), file_.size() - position_));
    file_.read(position_, std::as_writable_bytes(buffer.first(n)));
    position_ += int64_t(n);
    return n;
  }
  int64_t file_position() const override { return position_; }
  const std::string& path() const { return file_.path(); }

 private:
  RandomAccessFile file_;
  int64_t position_ = 0;
};

#if defined(GPT2_HAVE_ZLIB) || defined(GPT2_HAVE_ZSTD)

[[noreturn]] void damaged(const std::string& path) {
  fail("{}: damaged or truncated, it cannot be unpacked; fetch it again", path);
}

// Base of the decompressors: the compressed bytes read so far, and a loop that decompresses until the buffer
// is full. A file may contain several archives one after another (as from `cat a.gz b.gz`).
class PackedInput : public TextInput {
 public:
  explicit PackedInput(const std::string& path) : file_(path), packed_(1 << 17) {}

  size_t read(std::span<char> buffer) override {
    size_t done = 0;
    while (done < buffer.size()) {
      if (rest_.empty()) rest_ = std::span(packed_).first(file_.read(packed_));
      const bool file_ended = rest_.empty();
      if (file_ended && between_archives_) break;
      const size_t n = unpack(buffer.subspan(done));  // zstd may hold output that needs no further input
      if (file_ended && n == 0 && !between_archives_) damaged(file_.path());
      done += n;
    }
    return done;
  }
  int64_t file_position() const override { return file_.file_position(); }

 protected:
  // Decompresses part of rest_ into `buffer`, removes it from rest_, and returns the number of bytes written.
  virtual size_t unpack(std::span<char> buffer) = 0;

  const std::string& path() const { return file_.path(); }
  std::span<char> rest_;
  bool between_archives_ = true;  // the last archive has ended and no other has begun

 private:
  PlainInput file_;
  std::vector<char> packed_;
};

#endif

#ifdef GPT2_HAVE_ZLIB
class GzipInput final : public PackedInput {
 public:
  explicit GzipInput(const std::string& path) : PackedInput(path) {
    if (inflateInit2(&stream_, MAX_WBITS + 16) != Z_OK) throw std::bad_alloc();  // + 16: with a gzip header
  }
  ~GzipInput() override { inflateEnd(&stream_); }
  GzipInput(const GzipInput&) = delete;
  GzipInput& operator=(const GzipInput&) = delete;

 private:
  size_t unpack(std::span<char> buffer) override {
    if (between_archives_) inflateReset(&stream_);
    stream_.next_in = reinterpret_cast<Bytef*>(rest_.data());
    stream_.avail_in = uInt(rest_.size());
    stream_.next_out = reinterpret_cast<Bytef*>(buffer.data());
    stream_.avail_out = uInt(std::min<size_t>(buffer.size(), 1u << 30));
    const uInt room = stream_.avail_out;
    const int status = inflate(&stream_, Z_NO_FLUSH);
    if (status != Z_OK && status != Z_STREAM_END && status != Z_BUF_ERROR)
      damaged(path());  // Z_BUF_ERROR is not one: no progress
    between_archives_ = status == Z_STREAM_END;
    rest_ = rest_.last(stream_.avail_in);
    return room - stream_.avail_out;
  }

  z_stream stream_{};
};
#endif

#ifdef GPT2_HAVE_ZSTD
class ZstdInput final : public PackedInput {
 public:
  explicit ZstdInput(const std::string& path) : PackedInput(path), stream_(ZSTD_createDStream()) {
    if (stream_ == nullptr) throw std::bad_alloc();
    // Some published corpora use windows above the default limit of 128 MB.
    ZSTD_DCtx_setParameter(stream_, ZSTD_d_windowLogMax, 31);
  }
  ~ZstdInput() override { ZSTD_freeDStream(stream_); }
  ZstdInput(const ZstdInput&) = delete;
  ZstdInput& operator=(const ZstdInput&) = delete;

 private:
  size_t unpack(std::span<char> buffer) override {
    ZSTD_inBuffer in{rest_.data(), rest_.size(), 0};
    ZSTD_outBuffer out{buffer.data(), buffer.size(), 0};
    const size_t hint = ZSTD_decompressStream(stream_, &out, &in);
    if (ZSTD_isError(hint)) damaged(path());
    between_archives_ = hint == 0;
    rest_ = rest_.subspan(in.pos);
    return out.pos;
  }

  ZSTD_DStream* stream_;
};
#endif

}  // namespace

std::unique_ptr<TextInput> open_text(const std::string& path) {
  if (path.ends_with(".gz")) {
#ifdef GPT2_HAVE_ZLIB
    return std::make_unique<GzipInput>(path);
#else
    fail("{}: this build has no zlib to unpack it; install zlib1g-dev and build again, or unpack it first",
         path);
#endif
  }
  if (path.ends_with(".zst")) {
#ifdef GPT2_HAVE_ZSTD
    return std::make_unique<ZstdInput>(path);
#else
    fail("{}: this build has no zstd to unpack it; install libzstd-dev and build again, or unpack it first",
         path);
#endif
  }
  return std::make_unique<PlainInput>(path);
}

}  // namespace gpt2
