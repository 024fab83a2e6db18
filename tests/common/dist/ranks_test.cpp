// What holds for any number of ranks: each of them runs this program, and makes the same calls.
//
//   mpirun -n 3 ranks_test             on the CPU
//   mpirun -n 3 ranks_test --cuda 3    on so many GPUs, or executors
#include <gtest/gtest.h>

#include <cstring>
#include <iostream>
#include <optional>

#include "common/dist/agreement.h"
#include "common/dist/ddp.h"
#include "common/ops/ops.h"
#include "common/optim/adamw.h"
#include "steps/09_vocab/gpt2.h"
#include "tests/common/files.h"
#include "tests/common/testing.h"

namespace gpt2::testing {
namespace {

const dist::ProcessGroup* the_group = nullptr;
const dist::ProcessGroup& group() { return *the_group; }

Tensor on_device(const std::vector<float>& values) {
  return from_vector(values, {int64_t(values.size())}, group().device());
}

// Whether all ranks have the bits of rank 0.
bool same_on_all_ranks(const Tensor& x) {
  const Tensor theirs = on_device(x.to_vector<float>());
  group().broadcast(theirs);
  const auto a = x.to_vector<float>(), b = theirs.to_vector<float>();
  double different = std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) != 0;
  group().all_reduce(std::span(&different, 1));
  return different == 0;
}

std::vector<float> values_of(int rank, int64_t n) { return uniform(n, -1, 1, unsigned(rank) + 1); }

TEST(ProcessGroupOfManyRanks, AllReduceGivesEveryRankTheSameSum) {
  for (const int64_t n : {1, 2, 7, 1000, 4 * 1024 * 1024 + 13}) {
    std::vector<double> expected(static_cast<size_t>(n), 0.0);
    for (int rank = 0; rank < group().world_size(); ++rank) {
      const auto values = values_of(rank, n);
      for (size_t i = 0; i < expected.size(); ++i) expected[i] += double(values[i]);
    }
    const Tensor x = on_device(values_of(group().rank(), n)), again = on_device(x.to_vector<float>());
    group().all_reduce(x);
    EXPECT_LE(max_relative_error(x.to_vector<float>(), expected), 1e-6);
    EXPECT_TRUE(same_on_all_ranks(x));
    group().all_reduce(again);
    EXPECT_EQ(again.to_vector<float>(), x.to_vector<float>());
  }
}

// Sums of bf16 are float32, and rounded once.
TEST(ProcessGroupOfManyRanks, AllReduceOfBf16RoundsOnce) {
  for (const int64_t n : {1, 7, 1000, 300'001}) {
    std::vector<float> expected(static_cast<size_t>(n), 0.0f);
    for (int rank = 0; rank < group().world_size(); ++rank) {
      const auto values = representable<bf16>(values_of(rank, n));
      for (size_t i = 0; i < expected.size(); ++i) expected[i] += values[i];
    }
    const Tensor x = on_device(values_of(group().rank(), n)).to(DType::bf16);
    group().all_reduce(x);
    EXPECT_EQ(x.to(DType::f32).to_vector<float>(), representable<bf16>(expected)) << n;
    const Tensor theirs = on_device(values_of(group().rank(), n)).to(DType::bf16);
    group().broadcast(theirs);
    EXPECT_EQ(theirs.to(DType::f32).to_vector<float>(), representable<bf16>(values_of(0, n))) << n;
  }
}

TEST(ProcessGroupOfManyRanks, BroadcastGivesEveryRankTheValuesOfRank0) {
  const Tensor x = on_device(values_of(group().rank(), 1001));
  group().broadcast(x);
  EXPECT_EQ(x.to_vector<float>(), values_of(0, 1001));
}

TEST(ProcessGroupOfManyRanks, ValuesOnTheHostAddUp) {
  std::vector<double> values = {1, double(group().rank()), 1e-3};
  group().all_reduce(values);
  const double N = group().world_size();
  EXPECT_EQ(values[0], N);
  EXPECT_EQ(values[1], N * (N - 1) / 2);
  EXPECT_NEAR(values[2], N * 1e-3, 1e-12);
  group().barrier();
}

TEST(ProcessGroupOfManyRanks, AveragesWhileTheRankComputesOn) {
  std::vector<Tensor> parts;
  for (int64_t n : {5, 70000, 1})
    parts.push_back(on_device(std::vector<float>(size_t(n), float(group().rank()))));
  for (const Tensor& part : parts) group().start_average(part);
  group().wait();
  const float mean = float(group().world_size() - 1) / 2;
  for (const Tensor& part : parts) {
    for (const float value : part.to_vector<float>()) ASSERT_LE(std::abs(value - mean), 1e-6f);
  }
}

TEST(ProcessGroupOfManyRanks, WantsFloatsOnItsDevice) {
  EXPECT_THROW(group().all_reduce(empty({4}, group().device(), DType::i32)), Error);
  EXPECT_THROW(group().broadcast(empty({4, 4}, group().device()).transpose(0, 1)), Error);
}

// The same error on all ranks, which can go on to meet afterwards.
TEST(ProcessGroupOfManyRanks, CompareTheirSettings) {
  const int last = group().world_size() - 1;
  const bool is_last = group().rank() == last;
  const std::string text(20000, 'x');  // more than one collective takes
  EXPECT_NO_THROW(dist::require_same_on_all_ranks(group(), {}));
  EXPECT_NO_THROW(dist::require_same_on_all_ranks(group(), {{"--data", text}, {"--seed", "1"}}));
  if (last == 0) return;
  const std::string others = last == 1 ? "rank 0" : "ranks 0-" + std::to_string(last - 1);
  EXPECT_ERROR(dist::require_same_on_all_ranks(group(), {{"--data", text}, {"--seed", is_last ? "2" : "1"}}),
               "ranks differ: --seed is 1 on " + others + ", 2 on rank " + std::to_string(last) +
                   "; start all ranks with the same flags, data and build");
  EXPECT_ERROR(dist::require_same_on_all_ranks(
                   group(), is_last ? dist::Settings{} : dist::Settings{{"--data", text}, {"--out", ""}}),
               "--out is not given on " + others + ", missing on rank " + std::to_string(last));
  EXPECT_NO_THROW(dist::require_same_on_all_ranks(group(), {{"--seed", "1"}}));
}

// ---- training

constexpr int64_t kB = 12, kT = 8;  // a batch for 1, 2, 3 or 4 ranks
const GPTConfig kConfig = {.block_size = 16, .vocab_size = 40, .n_layer = 2, .n_head = 2, .n_embd = 64};

struct Training {
  Training() : model((nn::manual_seed(1337), kConfig)) {
    model.to(group().device());
    optimizer.emplace(model, optim::AdamWOptions{.lr = 1e-2});
  }

  // The loss of sequences [first, first + count) of batch number `step`.
  Tensor loss(int64_t step, int64_t first, int64_t count) {
    std::vector<int32_t> x, y;
    for (int64_t i = first * kT; i < (first + count) * kT; ++i) {
      x.push_back(int32_t((step * 31 + i * i) % 40));
      y.push_back(int32_t((step * 31 + i * i * 3 + 1) % 40));
    }
    const Device device = group().device();
    return model(from_vector(x, {count, kT}, device), from_vector(y, {count, kT}, device)).second;
  }
  Tensor my_loss(int64_t step) {
    const int64_t count = kB / group().world_size();
    return loss(step, group().rank() * count, count);
  }

  // All gradients, one behind the other.
  std::vector<float> gradients() const {
    std::vector<float> all;
    for (const auto& [name, tensor] : model.named_parameters()) {
      const auto values = tensor->grad().to_vector<float>();
      all.insert(all.end(), values.begin(), values.end());
    }
    return all;
  }

  GPT model;
  std::optional<optim::AdamW> optimizer;
};

TEST(DistributedDataParallel, GradientsAreThoseOfTheWholeBatch) {
  Training alone, ranks;
  alone.loss(0, 0, kB).backward();
  for (const int64_t bucket_bytes : {int64_t{1}, int64_t{5000}, dist::kBucketBytes}) {
    dist::DistributedDataParallel ddp(ranks.model, group(), bucket_bytes);
    EXPECT_GE(ddp.num_buckets(), bucket_bytes == dist::kBucketBytes ? 2u : 10u);
    for (int round = 0; round < 3; ++round) {  // the second knows the order
      ranks.optimizer->zero_grad();
      ranks.my_loss(0).backward();
      EXPECT_LE(max_relative_error(ranks.gradients(), alone.gradients()), 1e-5);
      EXPECT_TRUE(same_on_all_ranks(on_device(ranks.gradients())));
    }
  }
}

TEST(DistributedDataParallel, AveragesOnceAStepHoweverManyMicroBatches) {
  Training alone, ranks;
  dist::DistributedDataParallel ddp(ranks.model, group());
  constexpr int kMicroBatches = 3;
  for (int step = 0; step < 4; ++step) {
    alone.optimizer->zero_grad();
    ranks.optimizer->zero_grad();
    for (int micro = 0; micro < kMicroBatches; ++micro) {
      ddp.require_backward_grad_sync = micro == kMicroBatches - 1;
      ranks.my_loss(micro).backward();
      alone.loss(micro, 0, kB).backward();
    }
    EXPECT_EQ(ddp.rounds(), group().world_size() == 1 ? 0 : step + 1);
    EXPECT_LE(max_relative_error(ranks.gradients(), alone.gradients()), 1e-5);
  }
}

TEST(DistributedDataParallel, LossesAreThoseOfOneRank) {
  Training alone, ranks;
  dist::DistributedDataParallel ddp(ranks.model, group(), 5000);
  for (int step = 0; step < 20; ++step) {
    const Tensor expected = alone.loss(step, 0, kB);
    alone.optimizer->zero_grad();
    expected.backward();
    alone.optimizer->step();
    ranks.optimizer->zero_grad();
    const Tensor mine = ranks.my_loss(step);
    mine.backward();
    ranks.optimizer->step();
    double mean = double(mine.item()) / group().world_size();
    group().all_reduce(std::span(&mean, 1));
    EXPECT_LE(std::abs(mean / double(expected.item()) - 1), 1e-4) << "step " << step;
  }
}

TEST(DistributedDataParallel, StartsFromTheWeightsOfRank0) {
  Training ranks;
  const Tensor weight = *ranks.model.named_parameters()[0].tensor;
  const auto expected = weight.to_vector<float>();
  if (group().rank() > 0) zero_(weight);
  const dist::DistributedDataParallel ddp(ranks.model, group());
  EXPECT_EQ(weight.to_vector<float>(), expected);
}

struct Part : nn::Module {
  nn::Linear used{this, "used", 4, 4}, unused{this, "unused", 4, 4};
};

TEST(DistributedDataParallel, WhatNoGradientReachesIsZeroOnAllRanks) {
  Part model;
  model.to(group().device());
  optim::AdamW optimizer(model, {});
  dist::DistributedDataParallel ddp(model, group(), 1);
  for (int round = 0; round < 3; ++round) {
    optimizer.zero_grad();
    const Tensor ones = from_vector(std::vector<float>(4, 1.0f), {1, 4}, group().device());
    const Tensor target = from_vector(std::vector<int32_t>{1}, {1}, group().device());
    cross_entropy(model.used(ones), target).backward();
    if (group().world_size() == 1) continue;
    EXPECT_EQ(model.unused.weight.grad().to_vector<float>(), std::vector<float>(16, 0.0f));
    EXPECT_TRUE(same_on_all_ranks(on_device(model.used.weight.grad().to_vector<float>())));
  }
}

TEST(DistributedDataParallel, WantsTheOptimizerFirst) {
  Part model;
  model.to(group().device());
  dist::DistributedDataParallel ddp(model, group());
  if (group().world_size() == 1) return;
  const Tensor x = from_vector(std::vector<float>(4, 1.0f), {1, 4}, group().device());
  const Tensor target = from_vector(std::vector<int32_t>{1}, {1}, group().device());
  const Tensor loss = cross_entropy(model.unused(model.used(x)), target);
  EXPECT_THROW(loss.backward(), Error);
  context().tape->nodes.clear();
}

// What another rank than 0 has to say.
struct Failures : ::testing::EmptyTestEventListener {
  void OnTestPartResult(const ::testing::TestPartResult& result) override {
    if (!result.failed()) return;
    std::cerr << "rank " << group().rank() << ": " << result << std::endl;
  }
};

}  // namespace
}  // namespace gpt2::testing

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  const bool cuda = argc == 3 && std::string(argv[1]) == "--cuda";
  if (cuda && cuda_device_count() < std::stoi(argv[2])) {
    std::cout << "skipped: fewer than " << argv[2] << " GPUs on this machine" << std::endl;
    return 0;
  }
  const dist::ProcessGroup group(cuda ? gpt2::testing::kCuda : kCpu);
  gpt2::testing::the_group = &group;
  if (!group.is_master()) {
    auto& listeners = ::testing::UnitTest::GetInstance()->listeners();
    delete listeners.Release(listeners.default_result_printer());
    listeners.Append(new gpt2::testing::Failures);
  }
  double failed = RUN_ALL_TESTS();
  group.all_reduce(std::span(&failed, 1));
  return failed > 0 ? 1 : 0;
}
