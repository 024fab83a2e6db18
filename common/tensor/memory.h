// The caching allocator: one heap per device, for tensor storage and for workspaces.
//
// A heap requests large segments from the backend. It hands out the free block that fits best, splits off the
// rest of it, and joins neighbouring free blocks. Segments are kept: after one training step, the next step
// finds every block it needs, and nothing more is requested from the system. requests() counts the requests,
// so that a test can check this.
//
// A freed block may be handed out again at once, even while a GPU still works on it: all work of a device
// runs on one stream, so the work of the new owner is queued after the work of the old owner.
//
// since 01_module
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <set>
#include <utility>

#include "common/base/error.h"
#include "common/tensor/device.h"

namespace gpt2 {

inline constexpr size_t kAlignment = 256;  // of every block: wide vector loads, no shared cache lines

class Heap {
 public:
  explicit Heap(Backend& backend) : backend_(backend) {}
  Heap(const Heap&) = delete;
  Heap& operator=(const Heap&) = delete;

  void* allocate(size_t bytes);  // throws if memory runs out; the message gives the bytes wanted and in use
  void free(void* pointer);
  void release_free_segments();  // returns the unused segments to the system
  // From now on the heap returns no segment to the system, because a recorded graph writes to blocks that are
  // free.
  // since 14_cuda_graph
  void keep_segments() { keeps_segments_ = true; }

  size_t requests() const { return requests_; }              // segments requested so far
  size_t bytes_in_use() const { return bytes_in_use_; }      // in blocks that are handed out now
  size_t peak_bytes() const { return peak_bytes_; }          // maximum of bytes_in_use() since reset_peak()
  size_t bytes_reserved() const { return bytes_reserved_; }  // in all segments
  void reset_peak() { peak_bytes_ = bytes_in_use_; }

 private:
  struct Block {
    size_t bytes;
    bool free;
    bool first_of_segment;  // such a block is never joined with the block before it
  };
  using Blocks = std::map<char*, Block>;

  bool grow(size_t bytes);  // requests a segment of at least `bytes`; false if no memory is left
  void add_free(Blocks::iterator block);
  void remove_free(Blocks::iterator block);
  bool is_whole_segment(Blocks::iterator block) const;

  Backend& backend_;
  Blocks blocks_;                            // by address
  std::set<std::pair<size_t, char*>> free_;  // by size, then address: best fit is lower_bound
  bool keeps_segments_ = false;
  size_t requests_ = 0, bytes_in_use_ = 0, peak_bytes_ = 0, bytes_reserved_ = 0;
};

// Returns the heap of `device`. It lives until the process ends, so that no tensor outlives its heap.
Heap& heap(Device device);

// A block of a heap; the destructor gives it back to the heap.
class Storage {
 public:
  Storage(Device device, size_t bytes);
  ~Storage();
  Storage(const Storage&) = delete;
  Storage& operator=(const Storage&) = delete;

  void* data() const {
    require(taker_ == nullptr, "the values of this tensor are gone: {}", taker_);
    return data_;
  }
  size_t bytes() const { return bytes_; }
  Device device() const { return device_; }

  // Moves the memory to a new Storage, whose owner may overwrite it. data() of this one then throws, so that
  // no tensor that still refers to it reads wrong values; the message ends in `taker`: what took the memory, and
  // what to do.   since 07_fusion
  std::shared_ptr<Storage> take(const char* taker);

  // Counts the writes of zero_, copy_ and the like. Who keeps a copy of the values compares versions to see
  // whether it is still the same.   since 10_adamw
  int64_t version() const { return version_; }
  void count_write() { ++version_; }

 private:
  Storage(Device device, size_t bytes, void* data) : device_(device), bytes_(bytes), data_(data) {}

  Device device_;
  size_t bytes_;
  void* data_;
  const char* taker_ = nullptr;
  int64_t version_ = 0;
};

}  // namespace gpt2
