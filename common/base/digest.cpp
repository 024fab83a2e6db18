#include "common/base/digest.h"

#include <fmt/core.h>
#include <xxhash.h>

#include <filesystem>
#include <new>

#include "common/base/error.h"

namespace gpt2 {

Digest::Digest() : state_(XXH3_createState()) {
  if (!state_) throw std::bad_alloc();
  reset();
}

void Digest::reset() { XXH3_64bits_reset(state_.get()); }

Digest::~Digest() = default;

void Digest::add(std::span<const std::byte> bytes) {
  XXH3_64bits_update(state_.get(), bytes.data(), bytes.size());
}

uint64_t Digest::value() const { return XXH3_64bits_digest(state_.get()); }

void Digest::Free::operator()(XXH3_state_s* state) const { XXH3_freeState(state); }

uint64_t digest_of(std::span<const std::byte> bytes) { return XXH3_64bits(bytes.data(), bytes.size()); }

std::string to_hex(uint64_t digest) { return fmt::format("{:016x}", digest); }

void require_digest(const FileDigests& digests, const std::string& path, uint64_t digest) {
  const auto expected = digests.find(std::filesystem::path(path).filename());
  require(expected == digests.end() || expected->second == to_hex(digest),
          "{}: not the file that this checkpoint was written with: damaged, or replaced", path);
}

}  // namespace gpt2
