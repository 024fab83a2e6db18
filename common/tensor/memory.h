// The caching allocator: one heap per device, asked for tensor storage and workspaces alike.
//
// A heap takes large segments from the backend, hands out the best-fitting free block, splits what is
// left over and joins freed neighbours again. Segments are kept: once a training step has run, the next
// one finds every block it needs, and nothing more is requested from the system. requests() counts how
// often the system was asked, so that a test can hold us to it.
//
// A freed block may be handed out again at once, although a GPU may still be working on it: all work of
// a device runs on one stream, so the next user's work is queued behind the last one's.
//
// since 01_module
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <set>
#include <utility>

#include "common/tensor/device.h"

namespace gpt2 {

inline constexpr size_t kAlignment = 256;  // of every block: wide vector loads, no shared cache lines

class Heap {
 public:
  explicit Heap(Backend& backend) : backend_(backend) {}
  Heap(const Heap&) = delete;
  Heap& operator=(const Heap&) = delete;

  void* allocate(size_t bytes);  // fails with what is needed and what there is
  void free(void* pointer);
  void release_free_segments();  // gives back what no block uses
  // From now on no segment is given back: a recorded graph writes to blocks that are free for everyone else.
  // since 14_cuda_graph
  void keep_segments() { keeps_segments_ = true; }

  size_t requests() const { return requests_; }              // segments taken so far
  size_t bytes_in_use() const { return bytes_in_use_; }      // handed out now
  size_t peak_bytes() const { return peak_bytes_; }          // most ever handed out
  size_t bytes_reserved() const { return bytes_reserved_; }  // held from the system
  void reset_peak() { peak_bytes_ = bytes_in_use_; }

 private:
  struct Block {
    size_t bytes;
    bool free;
    bool first_of_segment;  // never joined with the block before it
  };
  using Blocks = std::map<char*, Block>;

  bool grow(size_t bytes);  // takes a segment of at least `bytes`; false where there is none left
  void add_free(Blocks::iterator block);
  void remove_free(Blocks::iterator block);
  bool is_whole_segment(Blocks::iterator block) const;

  Backend& backend_;
  Blocks blocks_;                            // by address
  std::set<std::pair<size_t, char*>> free_;  // by size, then address: best fit is lower_bound
  bool keeps_segments_ = false;
  size_t requests_ = 0, bytes_in_use_ = 0, peak_bytes_ = 0, bytes_reserved_ = 0;
};

// The heap of `device`. Lives until the process ends, so that no tensor outlives its heap.
Heap& heap(Device device);

// A block of a heap, given back when the last owner is gone.
class Storage {
 public:
  Storage(Device device, size_t bytes);
  ~Storage();
  Storage(const Storage&) = delete;
  Storage& operator=(const Storage&) = delete;

  void* data() const { return data_; }
  size_t bytes() const { return bytes_; }
  Device device() const { return device_; }

 private:
  Device device_;
  size_t bytes_;
  void* data_;
};

}  // namespace gpt2
