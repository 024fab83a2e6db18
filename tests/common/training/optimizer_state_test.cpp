#include "common/training/optimizer_state.h"

#include "common/nn/layers.h"
#include "tests/common/files.h"
#include "tests/common/testing.h"

namespace gpt2::testing {
namespace {

using training::optimizer_file, training::read_optimizer, training::write_optimizer;

// Large enough for parts on four ranks, with a rest that is not divided.
struct Model : nn::Module {
  nn::Linear layer{this, "layer", 400, 500};
  explicit Model(DType dtype = DType::bf16) { to(kCpu, dtype); }
};

// The state of one rank; value i of a block is i times a number that differs from block to block.
struct Rank {
  Model model;
  optim::AdamW optimizer;

  Rank(int rank, int world_size, bool master_weights = true)
      : optimizer(model, {.master_weights = master_weights, .rank = rank, .world_size = world_size}) {}

  void fill() const {
    set([](int64_t i, float factor) { return factor * float(i); });
  }
  void clear() const {
    set([](int64_t, float) { return -1.0f; });
  }

  // Whether fill() would change nothing.
  bool is_filled() const {
    bool filled = true;
    for_each([&](float value, int64_t i, float factor) {
      filled = filled && value == factor * float(i);
      return value;
    });
    return filled;
  }

 private:
  template <class Body>
  void for_each(const Body& body) const {
    float factor = 1;
    for (const auto& [name, block] : optimizer.blocks()) {
      std::vector<float> values = block.template to_vector<float>();
      size_t at = 0;
      for (const optim::Range& part : optimizer.partition().parts()) {
        for (int64_t i = part.begin; i < part.end; ++i, ++at) values[at] = body(values[at], i, factor);
      }
      EXPECT_EQ(at, values.size());
      copy_(block, from_vector(values, block.shape()));
      factor += 1;
    }
  }
  template <class Value>
  void set(const Value& value) const {
    for_each([&](float, int64_t i, float factor) { return value(i, factor); });
  }
};

std::vector<SafetensorsFile> written_by(int ranks, const TempDir& folder) {
  std::vector<SafetensorsFile> files;
  for (int rank = 0; rank < ranks; ++rank) {
    const Rank writer(rank, ranks);
    writer.fill();
    const std::string path = folder / optimizer_file(rank, ranks);
    write_optimizer(writer.optimizer, path);
    files.emplace_back(path);
  }
  return files;
}

TEST(OptimizerState, AnyNumberOfRanksReadsWhatAnyOtherHasWritten) {
  for (const int writers : {1, 2, 3, 4}) {
    const TempDir folder;
    const auto files = written_by(writers, folder);
    for (const int readers : {1, 2, 3, 4}) {
      for (int rank = 0; rank < readers; ++rank) {
        const Rank reader(rank, readers);
        reader.clear();
        read_optimizer(reader.optimizer, files, "step_000001");
        EXPECT_TRUE(reader.is_filled()) << writers << " ranks wrote, rank " << rank << " of " << readers;
      }
    }
  }
}

TEST(OptimizerState, ARankKeepsAboutItsShare) {
  const Rank whole(0, 1);
  for (const int ranks : {2, 3, 4}) {
    int64_t together = 0;
    for (int rank = 0; rank < ranks; ++rank) {
      const int64_t kept = Rank(rank, ranks).optimizer.partition().size();
      EXPECT_LE(kept, whole.optimizer.partition().size() / ranks + ranks * kNormChunk);
      together += kept;
    }
    EXPECT_GE(together, whole.optimizer.partition().size());
  }
}

TEST(OptimizerState, WhatIsMissingOrDamagedIsNamed) {
  const TempDir folder;
  auto files = written_by(3, folder);
  const Rank reader(0, 2), whole(0, 1);
  files.erase(files.begin() + 1);
  EXPECT_ERROR(read_optimizer(whole.optimizer, files, "step_000001"),
               "step_000001: its optimizer's first_moment has not all");
  const Rank without(0, 1, /*master_weights=*/false);
  write_optimizer(without.optimizer, folder / "optimizer.safetensors");
  std::vector<SafetensorsFile> one;
  one.emplace_back(folder / "optimizer.safetensors");
  EXPECT_ERROR(read_optimizer(reader.optimizer, one, "step_000001"), "its optimizer has no master_weights");

  const std::vector<float> values(4, 1.0f);
  const std::vector<SafetensorsEntry> entries = {
      {"first_moment", "F32", {4}, std::as_bytes(std::span(values)), ""}};
  for (const std::string parts :
       {"", "0:5", "0:2 1:3", "0:2,2:4", "2:0", "-4:0", "0:4:8", "x", "0:4 ", "0"}) {
    const std::string path = folder / "bad.safetensors";
    write_safetensors(path, entries, {{"format", "pt"}, {"parts", parts}});
    std::vector<SafetensorsFile> bad;
    bad.emplace_back(path);
    EXPECT_THROW(read_optimizer(without.optimizer, bad, "step_000001"), Error) << "parts: " << parts;
  }
}

TEST(OptimizerState, FilesAreNamedAfterTheirRank) {
  EXPECT_EQ(optimizer_file(0, 1), "optimizer.safetensors");
  EXPECT_EQ(optimizer_file(1, 4), "optimizer_00002_of_00004.safetensors");
  for (const char* name : {"optimizer.safetensors", "optimizer_00002_of_00004.safetensors"})
    EXPECT_TRUE(training::is_optimizer_file(name));
  for (const char* name : {"model.safetensors", "optimizer.json", "my_optimizer.safetensors"})
    EXPECT_FALSE(training::is_optimizer_file(name));
}

}  // namespace
}  // namespace gpt2::testing
