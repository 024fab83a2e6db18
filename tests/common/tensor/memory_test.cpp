#include "common/tensor/memory.h"

#include <algorithm>
#include <map>

#include "common/nn/hf_config.h"
#include "common/nn/layers.h"
#include "common/nn/pretrained.h"
#include "common/optim/adamw.h"
#include "tests/common/files.h"
#include "tests/common/testing.h"

namespace step04 {
#include "steps/04_overfit/gpt2.h"
}

namespace gpt2::testing {
namespace {

constexpr size_t kMB = size_t{1} << 20;

// Hands out addresses and no memory: the heap never looks into its blocks. Segments lie side by side, so that a
// heap that joined blocks of two segments would be found out.
class AddressSpace : public Backend {
 public:
  explicit AddressSpace(size_t limit_bytes = size_t{1} << 40) : limit_(limit_bytes) {}

  void* allocate(size_t bytes) override {
    if (held_ + bytes > limit_) return nullptr;
    void* segment = reinterpret_cast<void*>(next_);
    segments_[next_] = bytes;
    next_ += bytes;
    held_ += bytes;
    return segment;
  }
  void release(void* pointer, size_t bytes) override {
    const auto segment = segments_.find(reinterpret_cast<uintptr_t>(pointer));
    ASSERT_TRUE(segment != segments_.end() && segment->second == bytes) << "released what was never given";
    segments_.erase(segment);
    held_ -= bytes;
  }
  // Whether all of the block lies in one segment.
  bool contains(uintptr_t address, size_t bytes) const {
    auto segment = segments_.upper_bound(address);
    if (segment == segments_.begin()) return false;
    --segment;
    return address + bytes <= segment->first + segment->second;
  }
  size_t held_bytes() const { return held_; }
  size_t segments() const { return segments_.size(); }

  Stream create_stream() override { return {}; }
  void synchronize(Stream) override {}
  void copy(void*, const void*, size_t, Stream) override {}
  void fill_zero(void*, size_t, Stream) override {}
  std::string name() const override { return "address space"; }
  size_t available_memory_bytes() const override { return limit_; }

 private:
  size_t limit_, held_ = 0;
  uintptr_t next_ = size_t{1} << 32;
  std::map<uintptr_t, size_t> segments_;
};

uintptr_t address(const void* pointer) { return reinterpret_cast<uintptr_t>(pointer); }

TEST(Heap, TakesTheSmallestFreeBlockThatFits) {
  AddressSpace space;
  Heap heap(space);
  std::map<size_t, void*> holes;
  for (const size_t bytes : {4096, 1024, 2048, 512}) {
    holes[bytes] = heap.allocate(bytes);
    heap.allocate(1);  // keeps the holes apart
  }
  for (const auto& [bytes, hole] : holes) heap.free(hole);
  EXPECT_EQ(heap.allocate(1000), holes[1024]);
  EXPECT_EQ(heap.allocate(513), holes[2048]);
  EXPECT_EQ(heap.allocate(512), holes[512]);
}

TEST(Heap, SplitsABlockAndUsesTheRest) {
  AddressSpace space;
  Heap heap(space);
  const uintptr_t first = address(heap.allocate(300));
  EXPECT_EQ(address(heap.allocate(1)), first + 2 * kAlignment);
  EXPECT_EQ(address(heap.allocate(kAlignment)), first + 3 * kAlignment);
  EXPECT_EQ(heap.bytes_in_use(), 4 * kAlignment);
  EXPECT_EQ(heap.requests(), 1u);
}

TEST(Heap, JoinsFreedNeighboursInWhateverOrderTheyAreFreed) {
  std::vector<size_t> order = {0, 1, 2};
  do {
    AddressSpace space;
    Heap heap(space);
    std::vector<void*> blocks;
    for (size_t i = 0; i < 3; ++i) blocks.push_back(heap.allocate(1024));
    heap.allocate(1);
    for (const size_t i : order) heap.free(blocks[i]);
    EXPECT_EQ(heap.allocate(3 * 1024), blocks[0]);
  } while (std::next_permutation(order.begin(), order.end()));
}

TEST(Heap, NeverJoinsTwoSegments) {
  AddressSpace space;
  Heap heap(space);
  void* first = heap.allocate(32 * kMB);
  void* second = heap.allocate(32 * kMB);
  ASSERT_EQ(address(second), address(first) + 32 * kMB);
  heap.free(first);
  heap.free(second);
  heap.release_free_segments();
  EXPECT_EQ(space.segments(), 0u);
  EXPECT_EQ(heap.bytes_reserved(), 0u);
}

TEST(Heap, ReleasesOnlySegmentsThatNoBlockUses) {
  AddressSpace space;
  Heap heap(space);
  void* kept = heap.allocate(1);
  void* large = heap.allocate(100 * kMB);
  EXPECT_EQ(heap.requests(), 2u);
  heap.free(large);
  heap.release_free_segments();
  EXPECT_EQ(space.segments(), 1u);
  EXPECT_TRUE(space.contains(address(kept), kAlignment));
  EXPECT_EQ(heap.bytes_reserved(), space.held_bytes());
  heap.free(kept);
  heap.release_free_segments();
  EXPECT_EQ(space.segments(), 0u);
}

// A recorded graph writes to blocks that are free for everyone else.
TEST(Heap, KeepsItsSegmentsWhenToldTo) {
  AddressSpace space;
  Heap heap(space);
  heap.free(heap.allocate(40 * kMB));
  heap.free(heap.allocate(90 * kMB));
  heap.keep_segments();
  heap.free(heap.allocate(100 * kMB));  // enough is free, in pieces
  heap.release_free_segments();
  EXPECT_EQ(space.segments(), 3u);
}

TEST(Heap, CountsWhatIsInUseAndItsPeak) {
  AddressSpace space;
  Heap heap(space);
  void* a = heap.allocate(1000);
  void* b = heap.allocate(0);  // even nothing has an address of its own
  EXPECT_EQ(heap.bytes_in_use(), 1024 + kAlignment);
  heap.free(a);
  EXPECT_EQ(heap.bytes_in_use(), kAlignment);
  EXPECT_EQ(heap.peak_bytes(), 1024 + kAlignment);
  heap.reset_peak();
  EXPECT_EQ(heap.peak_bytes(), kAlignment);
  heap.free(b);
  EXPECT_EQ(heap.bytes_in_use(), 0u);
}

// Allocates and frees at random, and knows which bytes are taken.
class RandomUser {
 public:
  RandomUser(Heap& heap, const AddressSpace& space) : heap_(heap), space_(space) {}

  void round(unsigned seed, int actions) {
    std::mt19937 generator(seed);
    for (int i = 0; i < actions; ++i) {
      if (blocks_.empty() || generator() % 5 < 3) {
        const size_t scales[] = {1, 300, 5'000, 300'000, 3'000'000, 40'000'000};
        allocate(generator() % scales[generator() % 6]);
      } else {
        free(std::next(blocks_.begin(), generator() % blocks_.size()));
      }
    }
    while (!blocks_.empty()) free(std::next(blocks_.begin(), generator() % blocks_.size()));
  }

 private:
  using Blocks = std::map<uintptr_t, size_t>;

  void allocate(size_t bytes) {
    const uintptr_t start = address(heap_.allocate(bytes));
    bytes = (std::max<size_t>(bytes, 1) + kAlignment - 1) / kAlignment * kAlignment;
    EXPECT_EQ(start % kAlignment, 0u);
    EXPECT_TRUE(space_.contains(start, bytes));
    const auto next = blocks_.lower_bound(start);
    EXPECT_TRUE(next == blocks_.end() || start + bytes <= next->first) << "overlaps the next block";
    EXPECT_TRUE(next == blocks_.begin() || std::prev(next)->first + std::prev(next)->second <= start)
        << "overlaps the block before";
    blocks_[start] = bytes;
    in_use_ += bytes;
    EXPECT_EQ(heap_.bytes_in_use(), in_use_);
    EXPECT_EQ(heap_.bytes_reserved(), space_.held_bytes());
  }
  void free(Blocks::iterator block) {
    heap_.free(reinterpret_cast<void*>(block->first));
    in_use_ -= block->second;
    blocks_.erase(block);
  }

  Heap& heap_;
  const AddressSpace& space_;
  Blocks blocks_;
  size_t in_use_ = 0;
};

TEST(Heap, BlocksNeverOverlapWhateverIsAllocatedAndFreed) {
  for (unsigned seed = 0; seed < 20; ++seed) {
    AddressSpace space;
    Heap heap(space);
    RandomUser(heap, space).round(seed, 2000);
    EXPECT_EQ(heap.bytes_in_use(), 0u);
    heap.release_free_segments();
    EXPECT_EQ(space.segments(), 0u);
  }
}

// Random sizes and orders of freeing are harder than a training step, which settles after its second run (below): a
// round starts among more free segments than the one before, and may split them in another way.
TEST(Heap, SettlesWhenTheSameRoundIsRunAgainAndAgain) {
  int at_once = 0;
  for (unsigned seed = 0; seed < 50; ++seed) {
    AddressSpace space;
    Heap heap(space);
    RandomUser user(heap, space);
    for (int i = 0; i < 2; ++i) user.round(seed, 300);
    const size_t after_two = heap.requests();
    for (int i = 0; i < 8; ++i) user.round(seed, 300);
    const size_t requests = heap.requests();
    for (int i = 0; i < 10; ++i) user.round(seed, 300);
    EXPECT_EQ(heap.requests(), requests) << seed;
    at_once += requests == after_two;
  }
  EXPECT_GE(at_once, 40);
}

TEST(Heap, GivesFreeSegmentsBackRatherThanFail) {
  AddressSpace space(100 * kMB);
  Heap heap(space);
  heap.free(heap.allocate(60 * kMB));
  EXPECT_NE(heap.allocate(80 * kMB), nullptr);
  EXPECT_EQ(space.segments(), 1u);
}

TEST(Heap, OutOfMemorySaysWhatIsWantedAndWhatIsInUse) {
  AddressSpace space(100 * kMB);
  Heap heap(space);
  void* block = heap.allocate(50'000'000);
  EXPECT_ERROR(
      heap.allocate(70'000'000),
      "address space: out of memory: 70.0 MB wanted, 50.0 MB in use; try a smaller --batch or --seq");
  heap.free(block);  // and the heap goes on
  EXPECT_NE(heap.allocate(70'000'000), nullptr);
}

class StorageTest : public OnEveryDevice {};

TEST_P(StorageTest, GivesItsBlockBack) {
  const size_t before = heap(device()).bytes_in_use();
  {
    const Storage storage(device(), 1000);
    EXPECT_EQ(storage.bytes(), 1000u);
    EXPECT_EQ(address(storage.data()) % kAlignment, 0u);
    EXPECT_EQ(heap(device()).bytes_in_use(), before + 1024);
  }
  EXPECT_EQ(heap(device()).bytes_in_use(), before);
}

TEST_P(StorageTest, ATrainingStepRequestsNothingAfterTheSecond) {
  nn::manual_seed(1337);
  step04::GPT model({.block_size = 16, .vocab_size = 65, .n_layer = 2, .n_head = 2, .n_embd = 16});
  model.to(device());
  optim::AdamW optimizer(model, {.lr = 3e-4});
  const Tensor ids = from_vector(std::vector<int32_t>(32, 7), {2, 16}, device());
  Heap& memory = heap(device());
  const auto step = [&] {
    memory.reset_peak();
    optimizer.zero_grad();
    model(ids, ids).second.backward();
    optimizer.step();
  };
  for (int i = 0; i < 2; ++i) step();
  const size_t requests = memory.requests(), in_use = memory.bytes_in_use(), peak = memory.peak_bytes();
  for (int i = 0; i < 5; ++i) {
    step();
    EXPECT_EQ(memory.requests(), requests);
    EXPECT_EQ(memory.bytes_in_use(), in_use);
    EXPECT_EQ(memory.peak_bytes(), peak);
  }
  EXPECT_GT(peak, in_use);
}

INSTANTIATE_ON_EVERY_DEVICE(StorageTest);

}  // namespace
}  // namespace gpt2::testing
