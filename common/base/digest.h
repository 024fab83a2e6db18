// A digest of bytes, 64 bits of xxHash (XXH3): distinguishes files, at memory speed.
//
// It finds damaged and exchanged files, but no forgery: it is easy to construct two files with the same
// digest.
//
// since 13_fineweb
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>

struct XXH3_state_s;  // xxHash's type, declared here because its header is long

namespace gpt2 {

class Digest {
 public:
  Digest();
  ~Digest();
  Digest(const Digest&) = delete;
  Digest& operator=(const Digest&) = delete;

  // Adds bytes. The digest depends on the sequence of all bytes, not on how they are divided among the calls.
  void add(std::span<const std::byte> bytes);
  void add(std::string_view text) { add(std::as_bytes(std::span(text))); }

  // Starts again, with no bytes.
  void reset();

  // Returns the digest of all bytes so far.
  uint64_t value() const;

 private:
  struct Free {
    void operator()(XXH3_state_s* state) const;
  };
  std::unique_ptr<XXH3_state_s, Free> state_;
};

uint64_t digest_of(std::span<const std::byte> bytes);
inline uint64_t digest_of(std::string_view text) { return digest_of(std::as_bytes(std::span(text))); }

// Returns the digest as sixteen hexadecimal digits.
std::string to_hex(uint64_t digest);

// The digests of a folder's files: file name -> to_hex().
using FileDigests = std::map<std::string, std::string>;

// Throws if `digests` has another digest than this for the file; a file that it does not have is accepted.
void require_digest(const FileDigests& digests, const std::string& path, uint64_t digest);

}  // namespace gpt2
