#include "common/data/token_loader.h"

#include <algorithm>
#include <numeric>
#include <set>

#include "tests/common/files.h"
#include "tests/common/testing.h"

namespace gpt2::testing {
namespace {

using Ids = std::vector<int32_t>;
using State = TokenLoader::State;

// Sources of these lengths; the ids count up over all of them, so that a token tells its own place.
TokenSources counting(const std::vector<int64_t>& lengths) {
  TokenSources sources;
  int32_t next = 0;
  for (const int64_t length : lengths) {
    Ids ids(static_cast<size_t>(length));
    std::iota(ids.begin(), ids.end(), next);
    next += int32_t(length);
    sources.push_back(std::make_unique<TokenText>(std::move(ids)));
  }
  return sources;
}

// The first id of each row of the next batch; the rest of the row, and the targets, must count up from it.
Ids next_rows(TokenLoader& loader) {
  const auto [x, y] = loader.next_batch();
  const Ids inputs = x.to_vector<int32_t>(), targets = y.to_vector<int32_t>();
  const auto [B, T] = x.sizes<2>();
  Ids first;
  for (int64_t b = 0; b < B; ++b) first.push_back(inputs[size_t(b * T)]);
  for (int64_t i = 0; i < B * T; ++i) {
    const int32_t expected = first[size_t(i / T)] + int32_t(i % T);
    if (inputs[size_t(i)] != expected || targets[size_t(i)] != expected + 1) ADD_FAILURE() << "no window";
  }
  return first;
}

// What the ranks are served in these steps, side by side.
Ids rows_of_all_ranks(const std::vector<int64_t>& lengths, TokenLoader::Settings settings, int world,
                      int64_t steps) {
  std::vector<TokenLoader> loaders;
  settings.world = world;
  for (settings.rank = 0; settings.rank < world; ++settings.rank)
    loaders.emplace_back(counting(lengths), settings);
  Ids all;
  for (int64_t step = 0; step < steps; ++step) {
    for (TokenLoader& loader : loaders) {
      const Ids rows = next_rows(loader);
      all.insert(all.end(), rows.begin(), rows.end());
      EXPECT_EQ(loader.state(), loaders[0].state());
    }
  }
  return all;
}

// Where the windows begin, by the definition.
Ids windows_of(const std::vector<int64_t>& lengths, int64_t T) {
  Ids begins;
  int64_t base = 0;
  for (const int64_t n : lengths) {
    for (int64_t i = 0; i < (n - 1) / T; ++i) begins.push_back(int32_t(base + i * T));
    base += n;
  }
  return begins;
}

const std::vector<std::vector<int64_t>> kLengths = {{2}, {57}, {57, 1, 23}, {8, 9, 10, 0, 41, 17}};

TEST(TokenLoader, ShuffledServesEveryWindowOnceAnEpochWhateverTheNumberOfRanks) {
  for (const auto& lengths : kLengths) {
    for (const int64_t T : {1, 3, 7}) {
      const Ids windows = windows_of(lengths, T);
      if (windows.empty()) continue;
      for (int world = 1; world <= 5; ++world) {
        for (const int64_t B : {1, 2, 3}) {
          SCOPED_TRACE(::testing::Message()
                       << to_string(lengths) << " T " << T << " world " << world << " B " << B);
          const int64_t epochs = 3, n = int64_t(windows.size());
          const int64_t steps = (epochs * n + B * world - 1) / (B * world);
          const Ids served = rows_of_all_ranks(lengths, {.B = B, .T = T}, world, steps);
          for (int64_t epoch = 0; epoch < epochs; ++epoch) {
            Ids rows(served.begin() + epoch * n, served.begin() + (epoch + 1) * n);
            std::sort(rows.begin(), rows.end());
            ASSERT_EQ(rows, windows) << "epoch " << epoch;
          }
          // the sequence itself is that of one rank
          const Ids alone = rows_of_all_ranks(lengths, {.B = 1, .T = T}, 1, int64_t(served.size()));
          ASSERT_EQ(served, alone);
        }
      }
    }
  }
}

TEST(TokenLoader, EpochsAndSeedsHaveOrdersOfTheirOwn) {
  const std::vector<int64_t> lengths = {1001};
  const Ids rows = rows_of_all_ranks(lengths, {.B = 100, .T = 1}, 1, 20);
  const Ids first(rows.begin(), rows.begin() + 1000), second(rows.begin() + 1000, rows.end());
  EXPECT_NE(first, second);
  EXPECT_FALSE(std::is_sorted(first.begin(), first.end()));
  EXPECT_NE(first, rows_of_all_ranks(lengths, {.B = 100, .T = 1, .seed = 7}, 1, 10));
  EXPECT_EQ(first, rows_of_all_ranks(lengths, {.B = 100, .T = 1}, 1, 10));
}

// A change of the order must not happen unnoticed: every curve changes with it.
TEST(TokenLoader, TheShuffledOrderIsTheOneThatTheChaptersShow) {
  EXPECT_EQ(rows_of_all_ranks({101}, {.B = 5, .T = 10}, 1, 4),
            (Ids{90, 40, 50, 60, 80, 20, 10, 70, 30, 0, 90, 20, 70, 30, 40, 0, 80, 50, 10, 60}));
}

// The video's next_batch(), but that all ranks wrap when the first of them does.
TEST(TokenLoader, VideoServesTheWindowsOfDataLoaderLite) {
  for (const auto& lengths : std::vector<std::vector<int64_t>>{{57}, {200, 61}, {100, 5, 73}}) {
    for (int world = 1; world <= 5; ++world) {
      for (const auto& [B, T] : {std::pair<int64_t, int64_t>{1, 7}, {2, 5}, {3, 1}}) {
        SCOPED_TRACE(::testing::Message()
                     << to_string(lengths) << " B " << B << " T " << T << " world " << world);
        const int64_t step = B * T * world;
        Ids expected;
        size_t shard = 0;
        int64_t base = 0, position = 0;
        const auto next_shard = [&] {
          do {
            base = shard + 1 == lengths.size() ? 0 : base + lengths[shard];
            shard = (shard + 1) % lengths.size();
          } while (step + 1 > lengths[shard]);  // the video's code would fail here
          position = 0;
        };
        for (int i = 0; i < 30; ++i) {
          for (int64_t row = 0; row < B * world; ++row)
            expected.push_back(int32_t(base + position + row * T));
          position += step;
          if (position + step + 1 > lengths[shard]) next_shard();
        }
        EXPECT_EQ(rows_of_all_ranks(lengths, {.B = B, .T = T, .order = DataOrder::video}, world, 30),
                  expected);
      }
    }
  }
}

TEST(TokenLoader, VideoOnOneRankIsTheLoaderOfTheStepsBefore) {
  Ids ids(103);
  std::iota(ids.begin(), ids.end(), 0);
  DataLoaderLite lite(ids, 3, 4, kCpu);
  TokenLoader loader(text_source(ids), {.B = 3, .T = 4, .order = DataOrder::video});
  for (int i = 0; i < 30; ++i) {
    const Batch a = lite.next_batch(), b = loader.next_batch();
    ASSERT_EQ(a.x.to_vector<int32_t>(), b.x.to_vector<int32_t>());
    ASSERT_EQ(a.y.to_vector<int32_t>(), b.y.to_vector<int32_t>());
  }
}

TEST(TokenLoader, RestoredGoesOnAsIfNeverStopped) {
  for (const DataOrder order : {DataOrder::shuffled, DataOrder::video}) {
    const TokenLoader::Settings settings{.B = 2, .T = 3, .order = order, .rank = 1, .world = 2};
    TokenLoader whole(counting({50, 31}), settings);
    for (int stop = 0; stop < 20; ++stop) {
      TokenLoader resumed(counting({50, 31}), settings);
      resumed.restore(whole.state());
      EXPECT_EQ(resumed.state(), whole.state());
      const Ids rows = next_rows(whole);
      ASSERT_EQ(next_rows(resumed), rows) << "stopped after " << stop;
    }
    TokenLoader other(counting({50, 31}), settings);
    const Ids first = next_rows(other);
    next_rows(other);
    other.reset();
    EXPECT_EQ(next_rows(other), first);
  }
}

TEST(TokenLoader, AStateOfOtherDataIsRefused) {
  TokenLoader loader(counting({31}), {.B = 2, .T = 3});
  EXPECT_EQ(loader.rows_per_epoch(), 10);
  EXPECT_NO_THROW(loader.restore({.epoch = 5, .position = 9}));
  EXPECT_ERROR(loader.restore({.epoch = 0, .position = 10}),
               "data position 10 of epoch 0 is not a position in this data, which has 10 windows per epoch");
  EXPECT_ERROR(loader.restore({.epoch = -1, .position = 0}), "is not a position in this data");
  EXPECT_ERROR(loader.restore({.epoch = 0, .position = -1}), "is not a position in this data");
  TokenLoader video(counting({31}), {.B = 2, .T = 3, .order = DataOrder::video});
  EXPECT_ERROR(video.restore({.epoch = 0, .position = 3}), "is not a position in this data");
}

TEST(TokenLoader, CountsTokensRowsAndTheTail) {
  const TokenLoader shuffled(counting({57, 1, 23}), {.B = 2, .T = 7});  // 8 windows of 57, no window, 3 of 22
  EXPECT_EQ(shuffled.num_tokens(), 81);
  EXPECT_EQ(shuffled.rows_per_epoch(), 11);
  EXPECT_EQ(shuffled.batches_per_epoch(), 5);
  EXPECT_EQ(shuffled.tail(), 0 + 1 + 1);
  const TokenLoader video(counting({57, 1, 23}), {.B = 1, .T = 7, .order = DataOrder::video, .world = 3});
  EXPECT_EQ(video.rows_per_epoch(), 6 + 3);
  EXPECT_EQ(video.batches_per_epoch(), 3);
  EXPECT_EQ(video.tail(), 14 + 1 + 1);
}

TEST(TokenLoader, DataWithoutAWindowIsAnError) {
  EXPECT_ERROR(TokenLoader(counting({5, 5}), {.B = 1, .T = 5}),
               "--seq 5 and one target more are more than a text or shard holds (10 tokens in 2)");
  EXPECT_ERROR(TokenLoader(counting({}), {.B = 1, .T = 5}), "(0 tokens in 0)");
  EXPECT_ERROR(TokenLoader(counting({40}), {.B = 2, .T = 5, .order = DataOrder::video, .world = 4}),
               "--batch 2 x --seq 5 on 4 rank(s), and one target more, are more than a text or shard holds");
  EXPECT_NO_THROW(TokenLoader(counting({41}), {.B = 2, .T = 5, .order = DataOrder::video, .world = 4}));
  EXPECT_NO_THROW(TokenLoader(counting({6}), {.B = 2, .T = 5}));  // an epoch of one window, twice in a batch
}

TEST(TokenLoader, ServesFromShardsWhatItServesFromMemory) {
  const TempDir dir;
  std::vector<int64_t> lengths = {333, 5000, 2};
  uint16_t next = 0;
  for (size_t i = 0; i < lengths.size(); ++i) {
    std::vector<uint16_t> ids(static_cast<size_t>(lengths[i]));
    for (uint16_t& id : ids) id = next++;
    write_shard(dir / ("a" + std::to_string(i) + ".bin"), ids);
  }
  TokenLoader files(open_shards(dir / "a*.bin", 50257), {.B = 2, .T = 64});
  TokenLoader memory(counting(lengths), {.B = 2, .T = 64});
  for (int i = 0; i < 100; ++i) ASSERT_EQ(next_rows(files), next_rows(memory));
}

TEST(TokenLoader, APermutationIsOne) {
  for (uint64_t n = 1; n <= 600; ++n) {
    for (const uint64_t key : {0u, 1u, 1337u}) {
      const Permutation permutation(n, key);
      std::vector<bool> seen(n, false);
      for (uint64_t i = 0; i < n; ++i) {
        const uint64_t image = permutation(i);
        ASSERT_LT(image, n);
        ASSERT_FALSE(seen[image]);
        seen[image] = true;
      }
    }
  }
  for (const uint64_t n : {(uint64_t{1} << 32) - 1, uint64_t{1} << 32, (uint64_t{1} << 40) + 5}) {
    const Permutation permutation(n, 1337);
    std::set<uint64_t> images;
    for (uint64_t i = 0; i < 1000; ++i) images.insert(permutation(n - 1 - i));
    EXPECT_EQ(images.size(), 1000u);
    EXPECT_LT(*images.rbegin(), n);
    EXPECT_GT(*images.rbegin(), n / 2);
  }
}

// Each of n places gets each of n elements equally often over many keys: chi-square with (n-1)^2 degrees of
// freedom.
TEST(TokenLoader, PermutationsOfManyKeysAreSpreadEvenly) {
  constexpr uint64_t n = 23, kKeys = 20'000;
  std::vector<double> counts(n * n, 0);
  for (uint64_t key = 0; key < kKeys; ++key) {
    const Permutation permutation(n, key);
    for (uint64_t i = 0; i < n; ++i) counts[i * n + permutation(i)] += 1;
  }
  double chi_square = 0;
  const double expected = double(kKeys) / double(n);
  for (const double count : counts) chi_square += (count - expected) * (count - expected) / expected;
  const double degrees = double((n - 1) * (n - 1));
  EXPECT_LE(std::abs(chi_square - degrees), 5 * std::sqrt(2 * degrees));
}

class TokenLoaderOnDevice : public OnEveryDevice {};

TEST_P(TokenLoaderOnDevice, EveryBatchComesInTheSameMemory) {
  TokenLoader loader(counting({1000}), {.B = 2, .T = 5, .device = device()});
  const Batch first = loader.next_batch();
  const size_t in_use = heap(device()).bytes_in_use();
  EXPECT_EQ(first.x.device(), device());
  for (int i = 0; i < 300; ++i) {
    const Batch batch = loader.next_batch();
    ASSERT_EQ(batch.x.data<int32_t>(), first.x.data<int32_t>());
    ASSERT_EQ(batch.y.data<int32_t>(), first.y.data<int32_t>());
  }
  EXPECT_EQ(heap(device()).bytes_in_use(), in_use);
  loader.reset();
  EXPECT_EQ(next_rows(loader).size(), 2u);
}

INSTANTIATE_ON_EVERY_DEVICE(TokenLoaderOnDevice);

}  // namespace
}  // namespace gpt2::testing
