#include "clip.h"

#include "common/base/error.h"
#include "tests/exercises/exercise.h"

namespace {

using Blocks = std::vector<std::vector<float>>;

Blocks random_blocks(exercise::Draw& draw, double size) {
  Blocks blocks;
  for (int64_t count = draw.integer(3, 6); count > 0; --count)
    blocks.push_back(draw.normal(draw.integer(1, 40), 0, size * draw.number(0.1, 3)));
  return blocks;
}

std::vector<double> joined(const Blocks& blocks) {
  std::vector<double> all;
  for (const auto& block : blocks) all.insert(all.end(), block.begin(), block.end());
  return all;
}

double norm_of(const std::vector<double>& x) {
  double largest = 0, sum = 0;
  for (const double value : x) largest = std::max(largest, std::abs(value));
  for (const double value : x) sum += largest == 0 ? 0 : (value / largest) * (value / largest);
  return largest * std::sqrt(sum);
}

std::vector<double> scaled(std::vector<double> x, double max_norm) {
  const double norm = norm_of(x);
  for (double& value : x) value *= std::min(1.0, max_norm / norm);
  return x;
}

// Each block on its own.
std::vector<double> block_by_block(const Blocks& blocks, double max_norm) {
  std::vector<double> all;
  for (const auto& block : blocks) {
    const auto part = scaled(exercise::doubles(block), max_norm);
    all.insert(all.end(), part.begin(), part.end());
  }
  return all;
}

std::vector<double> each_value(std::vector<double> x, double max_norm) {
  for (double& value : x) value = std::clamp(value, -max_norm, max_norm);
  return x;
}

std::pair<double, Blocks> clipped(Blocks blocks, double max_norm) {
  const double norm = clip_gradients(blocks, max_norm);
  return {norm, blocks};
}

// The gradients after the call, whether it throws or not.
Blocks after(Blocks blocks, double max_norm) {
  try {
    clip_gradients(blocks, max_norm);
  } catch (const gpt2::Error&) {
  }
  return blocks;
}

}  // namespace

CASE("long gradients") {
  for (const double share : {0.05, 0.5}) {  // max_norm, as a share of the norm
    const Blocks blocks = random_blocks(draw, 1);
    const auto all = joined(blocks);
    const double max_norm = share * norm_of(all);
    WITH("{} blocks, norm {:.4g}, max_norm {:.4g}", blocks.size(), norm_of(all), max_norm);
    const auto [norm, after] = STUDENT(clipped(blocks, max_norm));
    const auto values = joined(after);
    CHECK(!close(values, block_by_block(blocks, max_norm), 1e-5),
          "each block is clipped on its own, which changes the direction: take all blocks as one vector");
    CHECK(!close(values, each_value(all, max_norm), 1e-5),
          "each value is clipped on its own, which changes the direction: scale all by one factor");
    CHECK_CLOSE(values, scaled(all, max_norm), 1e-5,
                "the gradients are not scaled to the norm {:.4g}: theirs is {:.4g}", max_norm,
                norm_of(values));
    CHECK(!close(norm, max_norm, 1e-6), "you return the norm after the clipping: it is to be the one before");
    CHECK_CLOSE(norm, norm_of(all), 1e-6, "the norm that is returned is wrong");
  }
}

CASE("short gradients") {
  const Blocks blocks = random_blocks(draw, 1), zero{{0, 0, 0}, {0}}, limit{{3}, {0, 4}};
  const double norm = norm_of(joined(blocks));
  const std::vector<std::pair<Blocks, double>> all{{blocks, 2 * norm}, {zero, 1.0}, {limit, 5.0}};
  for (const auto& given : all) {
    const Blocks& from = given.first;
    const double max_norm = given.second;
    WITH("norm {:.4g}, max_norm {:.4g}", norm_of(joined(from)), max_norm);
    const auto result = STUDENT(clipped(from, max_norm));
    const auto values = joined(result.second);
    CHECK(norm_of(values) <= norm_of(joined(from)) * 1.000001,
          "short gradients are stretched to max_norm: leave them");
    CHECK_EQUAL(values, joined(from), "the gradients are short enough, but they have changed");
    CHECK_CLOSE(result.first, norm_of(joined(from)), 1e-6, "the norm that is returned is wrong");
  }
}

CASE("huge gradients") {
  const Blocks blocks = random_blocks(draw, 1e30);
  const auto all = joined(blocks);
  WITH("{} blocks, norm {:.3g}, max_norm 1", blocks.size(), norm_of(all));
  const auto [norm, after] = STUDENT(clipped(blocks, 1));
  CHECK(std::isfinite(norm), "the norm is {}: the squares overflow in float, so sum them in double", norm);
  CHECK_CLOSE(norm, norm_of(all), 1e-5, "the norm that is returned is wrong");
  CHECK_CLOSE(joined(after), scaled(all, 1), 1e-5, "the gradients are not scaled to the norm 1");
}

CASE("not finite") {
  for (const float bad : {NAN, INFINITY, -INFINITY}) {
    Blocks blocks = random_blocks(draw, 1);
    const int64_t at = draw.integer(1, int64_t(blocks.size()) - 1);
    auto& block = blocks[size_t(at)];
    block[size_t(draw.integer(0, int64_t(block.size()) - 1))] = bad;
    WITH("{} in block {}", bad, at);
    Blocks copy = blocks;
    const auto message = STUDENT_ERROR(clip_gradients(copy, 1));
    const auto left = joined(STUDENT(after(blocks, 1)));
    CHECK(!message.empty(), "no error: a comparison with NaN is always false, so test with std::isfinite");
    CHECK(message.find(fmt::format("block {}", at)) != std::string::npos,
          "the message is '{}': it should name block {}", message, at);
    const auto before = joined(blocks);
    for (size_t i = 0; i < before.size(); ++i) {
      CHECK(left[i] == before[i] || (std::isnan(left[i]) && std::isnan(before[i])),
            "value {} has changed from {} to {}, though there was an error", i, before[i], left[i]);
    }
  }
}
