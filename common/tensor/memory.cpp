#include "common/tensor/memory.h"

#include <algorithm>
#include <iterator>

#include "common/base/error.h"

namespace gpt2 {
namespace {

constexpr size_t kSegment = size_t{32} << 20;      // small tensors share segments of this size
constexpr size_t kSegmentRound = size_t{2} << 20;  // a huge page

size_t round_up(size_t bytes, size_t to) { return (bytes + to - 1) / to * to; }

}  // namespace

void* Heap::allocate(size_t bytes) {
  bytes = round_up(std::max<size_t>(bytes, 1), kAlignment);
  auto fit = free_.lower_bound({bytes, nullptr});
  if (fit == free_.end()) {
    // Enough memory is free, but in pieces that are too small. Release them first, so that the heap does not
    // hold both (parameters before they are moved to one block).
    if (bytes_reserved_ - bytes_in_use_ >= bytes) release_free_segments();
    if (!grow(bytes)) {
      release_free_segments();
      require(grow(bytes),
              "{}: out of memory: {:.1f} MB wanted, {:.1f} MB in use; try a smaller --batch or --seq",
              backend_.name(), double(bytes) / 1e6, double(bytes_in_use_) / 1e6);
    }
    fit = free_.lower_bound({bytes, nullptr});
  }
  const auto block = blocks_.find(fit->second);
  remove_free(block);
  if (block->second.bytes > bytes) {  // splits the block: the rest stays free
    const Block rest{block->second.bytes - bytes, true, false};
    block->second.bytes = bytes;
    add_free(blocks_.emplace(block->first + bytes, rest).first);
  }
  block->second.free = false;
  bytes_in_use_ += bytes;
  peak_bytes_ = std::max(peak_bytes_, bytes_in_use_);
  return block->first;
}

void Heap::free(void* pointer) {
  auto block = blocks_.find(static_cast<char*>(pointer));
  bytes_in_use_ -= block->second.bytes;
  block->second.free = true;
  const auto next = std::next(block);
  if (next != blocks_.end() && next->second.free && !next->second.first_of_segment) {
    remove_free(next);
    block->second.bytes += next->second.bytes;
    blocks_.erase(next);
  }
  if (!block->second.first_of_segment && std::prev(block)->second.free) {
    const auto before = std::prev(block);
    remove_free(before);
    before->second.bytes += block->second.bytes;
    blocks_.erase(block);
    block = before;
  }
  add_free(block);
}

bool Heap::grow(size_t bytes) {
  bytes = std::max(kSegment, round_up(bytes, kSegmentRound));
  void* segment = backend_.allocate(bytes);
  if (segment == nullptr) return false;
  ++requests_;
  bytes_reserved_ += bytes;
  add_free(blocks_.emplace(static_cast<char*>(segment), Block{bytes, true, true}).first);
  return true;
}

void Heap::release_free_segments() {
  if (keeps_segments_) return;
  for (auto block = blocks_.begin(); block != blocks_.end();) {
    const auto next = std::next(block);
    if (is_whole_segment(block)) {
      remove_free(block);
      bytes_reserved_ -= block->second.bytes;
      backend_.release(block->first, block->second.bytes);
      blocks_.erase(block);
    }
    block = next;
  }
}

void Heap::add_free(Blocks::iterator block) { free_.insert({block->second.bytes, block->first}); }

void Heap::remove_free(Blocks::iterator block) { free_.erase({block->second.bytes, block->first}); }

bool Heap::is_whole_segment(Blocks::iterator block) const {
  const auto next = std::next(block);
  return block->second.free && block->second.first_of_segment &&
         (next == blocks_.end() || next->second.first_of_segment);
}

Heap& heap(Device device) {
  static auto& heaps = *new std::map<std::pair<DeviceType, int>, std::unique_ptr<Heap>>;  // never destroyed
  auto& slot = heaps[{device.type, device.index}];
  if (!slot) slot = std::make_unique<Heap>(backend(device));
  return *slot;
}

Storage::Storage(Device device, size_t bytes)
    : device_(device), bytes_(bytes), data_(heap(device).allocate(bytes)) {}

Storage::~Storage() {
  if (data_ != nullptr) heap(device_).free(data_);
}

std::shared_ptr<Storage> Storage::take(const char* taker) {
  require(taker_ == nullptr, "the values of this tensor are gone: {}", taker_);
  taker_ = taker;
  return std::shared_ptr<Storage>(new Storage(device_, bytes_, std::exchange(data_, nullptr)));
}

}  // namespace gpt2
