#include "tests/executor/tracer.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <set>
#include <unordered_map>
#include <utility>
#include <vector>

#include "tests/executor/runtime.h"
#include "tests/executor/scheduler.h"

extern "C" char executor_shared_begin[], executor_shared_end[];  // shared_memory.ld

namespace executor {
namespace {

constexpr unsigned kWarp = 32, kMaxThreads = 1024;
constexpr uintptr_t kWord = 4, kSector = 32, kBanks = 32;

enum class Kind : uint8_t { load, store, atomic };
enum class Space : uint8_t { global, shared };

struct Access {
  uintptr_t place;  // in the program, of the instruction
  uintptr_t address;
  uint32_t bytes;
  uint16_t thread;
  Kind kind;
  Space space;
};

// When an access happened. Two accesses are in order if a barrier lies between them, or a __syncwarp of both lanes.
struct Event {
  uintptr_t place = 0;
  uint32_t block = 0, epoch = 0, clock = 0;
  uint16_t thread = 0;
  uint8_t bytes_of_word = 0;  // a bit for each; 0: there was no access
  Kind kind = Kind::load;
};

// The last accesses to four bytes of memory. As in ThreadSanitizer there is room for a few.
struct Word {
  std::array<Event, 4> events;
};

std::string in_source(uintptr_t place) {  // the tools turn this into file and line, with addr2line
  Dl_info program;
  const bool known = dladdr(reinterpret_cast<void*>(place), &program) != 0;
  return fmt::format("pc {:#x}", place - (known ? reinterpret_cast<uintptr_t>(program.dli_fbase) : 0));
}

class Tracer : public Observer {
 public:
  void block_begins() override {
    ++block_;
    epoch_ = 1;
    of_thread_.fill(0);
    clocks_.fill(1);
    for (auto& lanes : known_) lanes.fill(0);
    shared_words_.clear();
  }
  void barrier_opens() override {
    ++epoch_;
    ++counts.barriers;
    fold();
  }
  void lanes_synchronise(unsigned warp, uint32_t lanes) override;
  void block_ends() override {
    fold();
    counts.longest_thread =
        std::max(counts.longest_thread, *std::max_element(of_thread_.begin(), of_thread_.end()));
  }
  void launch_ends() override {
    ++counts.launches;
    global_words_.clear();
  }
  void access(uintptr_t address, size_t bytes, Kind kind, uintptr_t place);

  Counts counts;

 private:
  bool find_space(uintptr_t address, size_t bytes, bool writes, uintptr_t place, Space* space) const;
  void check_order(Word& word, const Event& now, Space space) const;
  bool replaces(const Event& before, const Event& now, Space space) const;
  [[noreturn]] void report_race(const Event& before, const Event& now, Space space) const;
  bool in_order(const Event& before, const Event& now) const;
  void fold();
  void fold_request(const Access* first, const Access* last);
  void count(const Access& access);

  uint32_t block_ = 0, epoch_ = 1;
  std::array<int64_t, kMaxThreads> of_thread_{};  // accesses
  std::array<uint32_t, kMaxThreads> clocks_{};    // counts the thread's __syncwarps
  std::array<std::array<uint32_t, kWarp>, kMaxThreads>
      known_{};                   // up to which clock of each lane it is in order
  std::vector<Access> accesses_;  // since the last barrier
  std::unordered_map<uintptr_t, Word> global_words_, shared_words_;  // by address
};

Tracer tracer;

// The lanes learn all that one of them knows.
void Tracer::lanes_synchronise(unsigned warp, uint32_t lanes) {
  std::array<uint32_t, kWarp> all{};
  for (uint32_t rest = lanes; rest != 0; rest &= rest - 1) {
    const unsigned lane = unsigned(std::countr_zero(rest)), thread = warp * kWarp + lane;
    for (unsigned l = 0; l < kWarp; ++l) all[l] = std::max(all[l], known_[thread][l]);
    all[lane] = std::max(all[lane], clocks_[thread]++);
  }
  for (uint32_t rest = lanes; rest != 0; rest &= rest - 1)
    known_[warp * kWarp + unsigned(std::countr_zero(rest))] = all;
}

bool Tracer::in_order(const Event& before, const Event& now) const {
  if (before.block != now.block) return false;
  if (before.thread == now.thread || before.epoch != now.epoch) return true;
  if (before.thread / kWarp != now.thread / kWarp) return false;
  return before.clock <= known_[now.thread][before.thread % kWarp];
}

// Whether nothing that may still come can be in conflict with `before` unless it is with `now`.
bool Tracer::replaces(const Event& before, const Event& now, Space space) const {
  if (before.bytes_of_word == 0) return true;
  if (!in_order(before, now)) return false;
  if (space == Space::shared && before.epoch != now.epoch) return true;
  return (before.bytes_of_word & ~now.bytes_of_word) == 0 &&
         (now.kind != Kind::load || before.kind == Kind::load);
}

void Tracer::check_order(Word& word, const Event& now, Space space) const {
  Event *replaced = nullptr, *load = word.events.data();
  for (Event& before : word.events) {
    const bool both_read = before.kind == Kind::load && now.kind == Kind::load;
    const bool both_atomic = before.kind == Kind::atomic && now.kind == Kind::atomic;
    const bool overlap = (before.bytes_of_word & now.bytes_of_word) != 0;
    if (overlap && !both_read && !both_atomic && !in_order(before, now)) report_race(before, now, space);
    if (replaces(before, now, space)) replaced = &before;
    if (before.kind == Kind::load) load = &before;
  }
  *(replaced != nullptr ? replaced : load) = now;
}

void Tracer::report_race(const Event& before, const Event& now, Space space) const {
  const bool same_block = before.block == now.block;
  const auto [x, y, z] = thread_index(before.thread);
  die_in_thread(
      fmt::format("race: the thread {} {} memory at {} that thread ({},{},{}) of {} block {} at {}, and {}",
                  now.kind == Kind::load ? "reads" : "writes", space == Space::shared ? "shared" : "global",
                  in_source(now.place), x, y, z, same_block ? "its" : "another",
                  before.kind == Kind::load ? "reads" : "writes", in_source(before.place),
                  same_block ? "no barrier lies between" : "nothing orders two blocks"));
}

// False: neither global nor shared memory, such as a thread's own variables. Aborts if it is out of bounds.
bool Tracer::find_space(uintptr_t address, size_t bytes, bool writes, uintptr_t place, Space* space) const {
  const auto dynamic = reinterpret_cast<uintptr_t>(dynamic_shared);
  if (address >= reinterpret_cast<uintptr_t>(executor_shared_begin) &&
      address < reinterpret_cast<uintptr_t>(executor_shared_end)) {
    *space = Space::shared;
    return true;
  }
  const char* verb = writes ? "writes" : "reads";
  if (dynamic != 0 && address >= dynamic - kWord && address < dynamic + dynamic_shared_bytes + 128) {
    if (address < dynamic || address + bytes > dynamic + dynamic_shared_bytes) {
      die_in_thread(
          fmt::format("out of bounds: the thread {} byte {} of {} bytes of dynamic shared memory ({})", verb,
                      int64_t(address - dynamic), dynamic_shared_bytes, in_source(place)));
    }
    *space = Space::shared;
    return true;
  }
  const auto* pointer = reinterpret_cast<const char*>(address);
  const Memory before = memory_before(pointer), after = memory_after(pointer);
  *space = Space::global;
  if (before.begin != nullptr && pointer + bytes <= before.begin + before.bytes) return true;
  const bool behind = before.begin != nullptr && pointer < before.begin + before.bytes + kGuardBytes;
  const bool ahead = !behind && after.begin != nullptr && pointer >= after.begin - kGuardBytes;
  if (!behind && !ahead) return false;
  const Memory& near = behind ? before : after;
  die_in_thread(
      fmt::format("out of bounds: the thread {} {} bytes at byte {} of an allocation of {} bytes ({})", verb,
                  bytes, pointer - near.begin, near.bytes, in_source(place)));
}

void Tracer::access(uintptr_t address, size_t bytes, Kind kind, uintptr_t place) {
  const unsigned thread = running_thread();
  Space space;
  if (thread == kNoThread || !find_space(address, bytes, kind != Kind::load, place, &space)) return;
  if (address % std::min(bytes, size_t{16}) != 0 && std::has_single_bit(bytes)) {
    die_in_thread(fmt::format(
        "misaligned: the thread accesses {} bytes at an address that is not a multiple of {} ({})", bytes,
        bytes, in_source(place)));
  }
  ++of_thread_[thread];
  const Access now{place, address, uint32_t(bytes), uint16_t(thread), kind, space};
  accesses_.push_back(now);
  count(now);
  auto& words = space == Space::shared ? shared_words_ : global_words_;
  for (uintptr_t word = address / kWord * kWord; word < address + bytes; word += kWord) {
    uint8_t mask = 0;
    for (uintptr_t b = 0; b < kWord; ++b)
      mask |= uint8_t((word + b >= address && word + b < address + bytes) << b);
    check_order(words[word], {place, block_, epoch_, clocks_[thread], uint16_t(thread), mask, kind}, space);
  }
}

void Tracer::count(const Access& access) {
  const bool load = access.kind == Kind::load;
  if (access.space == Space::shared) {
    ++(load ? counts.shared_loads : counts.shared_stores);
    return;
  }
  const auto width = size_t(std::bit_width(std::min(access.bytes, 16u)) - 1);
  ++(load ? counts.loads : counts.stores)[width];
  (load ? counts.load_bytes : counts.store_bytes) += access.bytes;
}

// The passes of a warp beyond the first: a pass serves one word of each bank to as many lanes as 128 bytes feed.
int64_t conflicts(const Access* first, const Access* last) {
  const long lanes_per_pass = long(kWarp * kWord / std::clamp(uintptr_t{first->bytes}, kWord, 4 * kWord));
  int64_t extra = 0;
  for (; first < last; first += std::min(lanes_per_pass, last - first)) {
    std::array<std::set<uintptr_t>, kBanks> words;
    size_t most = 1;
    for (const Access* lane = first; lane < std::min(first + lanes_per_pass, last); ++lane) {
      for (uintptr_t w = lane->address / kWord; w * kWord < lane->address + lane->bytes; ++w) {
        words[w % kBanks].insert(w);
        most = std::max(most, words[w % kBanks].size());
      }
    }
    extra += int64_t(most) - 1;
  }
  return extra;
}

// One instruction of a warp: an access of each lane that takes part.
void Tracer::fold_request(const Access* first, const Access* last) {
  if (first->space == Space::shared) {
    counts.bank_conflicts += conflicts(first, last);
    return;
  }
  std::set<uintptr_t> sectors;
  for (const Access* lane = first; lane < last; ++lane) {
    for (uintptr_t s = lane->address / kSector; s * kSector < lane->address + lane->bytes; ++s)
      sectors.insert(s);
  }
  ++counts.requests;
  counts.transactions += int64_t(sectors.size());
}

// The lanes of a warp ran one after another: the n-th accesses of its lanes at one place are one instruction.
void Tracer::fold() {
  std::unordered_map<uint64_t, uint32_t> times;  // by thread and place
  std::vector<std::pair<std::array<uint64_t, 4>, Access>> sorted;
  for (const Access& a : accesses_) {
    const uint32_t time = times[uint64_t{a.thread} << 48 ^ uint64_t(a.space) << 47 ^ a.place]++;
    sorted.push_back({{a.thread / kWarp, a.place << 1 | uint64_t(a.space), time, a.thread}, a});
  }
  std::sort(sorted.begin(), sorted.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<Access> request;
  for (size_t i = 0; i < sorted.size(); ++i) {
    request.push_back(sorted[i].second);
    const auto same = [&](const auto& a, const auto& b) {
      return std::equal(a.begin(), a.begin() + 3, b.begin());
    };
    if (i + 1 < sorted.size() && same(sorted[i].first, sorted[i + 1].first)) continue;
    fold_request(request.data(), request.data() + request.size());
    request.clear();
  }
  accesses_.clear();
}

}  // namespace

void trace() { observer = &tracer; }

Counts take_counts() { return std::exchange(tracer.counts, {}); }

}  // namespace executor

// ---- what -fsanitize=thread calls

#define PLACE reinterpret_cast<uintptr_t>(__builtin_return_address(0)) - 1
#define WATCH(name, bytes, kind)                                                                 \
  void name(void* address) {                                                                     \
    executor::tracer.access(reinterpret_cast<uintptr_t>(address), bytes, executor::kind, PLACE); \
  }
#define WATCH_BYTES(bytes)                                 \
  WATCH(__tsan_read##bytes, bytes, Kind::load)             \
  WATCH(__tsan_write##bytes, bytes, Kind::store)           \
  WATCH(__tsan_unaligned_read##bytes, bytes, Kind::load)   \
  WATCH(__tsan_unaligned_write##bytes, bytes, Kind::store) \
  WATCH(__tsan_volatile_read##bytes, bytes, Kind::load)    \
  WATCH(__tsan_volatile_write##bytes, bytes, Kind::store)
#define ATOMIC_RMW(bits, T, name, builtin)                                                                  \
  T __tsan_atomic##bits##_##name(volatile T* address, T value, int) {                                       \
    executor::tracer.access(reinterpret_cast<uintptr_t>(address), bits / 8, executor::Kind::atomic, PLACE); \
    return builtin(address, value, __ATOMIC_SEQ_CST);                                                       \
  }
#define ATOMICS(bits, T)                                                                                     \
  T __tsan_atomic##bits##_load(const volatile T* address, int) {                                             \
    executor::tracer.access(reinterpret_cast<uintptr_t>(address), bits / 8, executor::Kind::atomic, PLACE);  \
    return __atomic_load_n(address, __ATOMIC_SEQ_CST);                                                       \
  }                                                                                                          \
  void __tsan_atomic##bits##_store(volatile T* address, T value, int) {                                      \
    executor::tracer.access(reinterpret_cast<uintptr_t>(address), bits / 8, executor::Kind::atomic, PLACE);  \
    __atomic_store_n(address, value, __ATOMIC_SEQ_CST);                                                      \
  }                                                                                                          \
  int __tsan_atomic##bits##_compare_exchange_strong(volatile T* address, T* expected, T value, int, int) {   \
    executor::tracer.access(reinterpret_cast<uintptr_t>(address), bits / 8, executor::Kind::atomic, PLACE);  \
    return __atomic_compare_exchange_n(address, expected, value, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST); \
  }                                                                                                          \
  int __tsan_atomic##bits##_compare_exchange_weak(volatile T* address, T* expected, T value, int, int) {     \
    executor::tracer.access(reinterpret_cast<uintptr_t>(address), bits / 8, executor::Kind::atomic, PLACE);  \
    return __atomic_compare_exchange_n(address, expected, value, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST); \
  }                                                                                                          \
  ATOMIC_RMW(bits, T, exchange, __atomic_exchange_n)                                                         \
  ATOMIC_RMW(bits, T, fetch_add, __atomic_fetch_add)                                                         \
  ATOMIC_RMW(bits, T, fetch_sub, __atomic_fetch_sub)                                                         \
  ATOMIC_RMW(bits, T, fetch_and, __atomic_fetch_and)                                                         \
  ATOMIC_RMW(bits, T, fetch_or, __atomic_fetch_or)                                                           \
  ATOMIC_RMW(bits, T, fetch_xor, __atomic_fetch_xor)

extern "C" {
WATCH_BYTES(1)
WATCH_BYTES(2)
WATCH_BYTES(4)
WATCH_BYTES(8)
WATCH_BYTES(16)
ATOMICS(8, uint8_t)
ATOMICS(16, uint16_t)
ATOMICS(32, uint32_t)
ATOMICS(64, uint64_t)
void __tsan_read_range(void* address, size_t bytes) {
  executor::tracer.access(reinterpret_cast<uintptr_t>(address), bytes, executor::Kind::load, PLACE);
}
void __tsan_write_range(void* address, size_t bytes) {
  executor::tracer.access(reinterpret_cast<uintptr_t>(address), bytes, executor::Kind::store, PLACE);
}
void __tsan_init() {}
void __tsan_func_entry(void*) {}
void __tsan_func_exit() {}
void __tsan_vptr_update(void**, void*) {}
void __tsan_vptr_read(void**) {}
void __tsan_atomic_thread_fence(int) {}
void __tsan_atomic_signal_fence(int) {}

// What -fsanitize=bounds calls; the data begins with the place in the source.
struct UbsanPlace {
  const char* file;
  uint32_t line, column;
};
void __ubsan_handle_out_of_bounds(UbsanPlace* place, void* index) {
  const std::string what = fmt::format("out of bounds: index {} of an array at {}:{}",
                                       int64_t(reinterpret_cast<intptr_t>(index)), place->file, place->line);
  if (executor::running_thread() != executor::kNoThread) executor::die_in_thread(what);
  std::fprintf(stderr, "executor: %s\n", what.c_str());
  std::abort();
}
void __ubsan_handle_out_of_bounds_abort(UbsanPlace* place, void* index) {
  __ubsan_handle_out_of_bounds(place, index);
}
}
