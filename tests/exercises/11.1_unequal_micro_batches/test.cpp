#include "accumulate.h"

#include "tests/exercises/tensors.h"

namespace {

using MicroBatches = std::vector<MicroBatch>;

constexpr double kTolerance = 3e-6;

// `sequences` sequences of 1 to 64 tokens, padded to the longest one.
MicroBatch random_batch(Draw& draw, int64_t sequences, int64_t V) {
  std::vector<int64_t> lengths;
  for (int64_t i = 0; i < sequences; ++i) lengths.push_back(draw.integer(1, 64));
  const int64_t longest = *std::max_element(lengths.begin(), lengths.end());
  MicroBatch batch;
  for (const int64_t length : lengths) {
    Ids x = draw.ids(longest, V), y = draw.ids(longest, V);
    for (int64_t i = length; i < longest; ++i) x[size_t(i)] = 0, y[size_t(i)] = kNoTarget;
    batch.x.insert(batch.x.end(), x.begin(), x.end());
    batch.y.insert(batch.y.end(), y.begin(), y.end());
  }
  return batch;
}

MicroBatches random_batches(Draw& draw, int64_t count, int64_t sequences, int64_t V) {
  MicroBatches batches;
  for (int64_t i = 0; i < count; ++i) batches.push_back(random_batch(draw, sequences, V));
  return batches;
}

// All ranks, one after the other: what each leaves in the gradient and returns, and its largest batch.
struct Trained {
  std::vector<float> gradient;  // the mean over the ranks
  double loss = 0;              // likewise
  int64_t largest_batch = 0;
};
using Result = std::tuple<std::vector<float>, double, int64_t>;

Result train(const std::vector<float>& logits, int64_t V, const std::vector<MicroBatches>& ranks) {
  int64_t all_targets = 0;
  for (const MicroBatches& batches : ranks) all_targets += count_targets(batches);
  Trained mean{std::vector<float>(logits.size())};
  for (const MicroBatches& batches : ranks) {
    Bigram model(from_vector(logits, {V, V}));
    mean.loss += accumulate(model, batches, all_targets, int(ranks.size())) / double(ranks.size());
    mean.largest_batch = std::max(mean.largest_batch, model.largest_batch);
    if (!model.table.grad().defined()) continue;  // a rank without targets
    const auto gradient = model.table.grad().to_vector<float>();
    for (size_t i = 0; i < gradient.size(); ++i) mean.gradient[i] += gradient[i] / float(ranks.size());
  }
  return {mean.gradient, mean.loss, mean.largest_batch};
}

// ---- the oracle: the whole batch at once, with a weight for each position

struct Whole {
  Values gradient;
  double loss = 0;
};

void add_position(Whole& whole, const std::vector<float>& logits, int64_t V, int32_t x, int32_t y,
                  double weight) {
  const auto row = logits.begin() + x * V;
  const Values p = gpt2::testing::oracle::softmax(Values(row, row + V), V);
  whole.loss -= weight * std::log(p[size_t(y)]);
  for (int64_t j = 0; j < V; ++j) whole.gradient[size_t(x * V + j)] += weight * (p[size_t(j)] - (j == y));
}

// weight(rank, batch) of each target.
template <class Weight>
Whole oracle(const std::vector<float>& logits, int64_t V, const std::vector<MicroBatches>& ranks,
             const Weight& weight) {
  Whole whole{Values(logits.size())};
  for (const MicroBatches& batches : ranks) {
    for (const MicroBatch& batch : batches) {
      for (size_t i = 0; i < batch.x.size(); ++i) {
        if (batch.y[i] != kNoTarget)
          add_position(whole, logits, V, batch.x[i], batch.y[i], weight(batches, batch));
      }
    }
  }
  return whole;
}

double targets_in(const MicroBatch& batch) {
  double targets = 0;
  for (const int32_t y : batch.y) targets += y != kNoTarget;
  return targets;
}

template <class Count>
double sum_over(const MicroBatches& batches, const Count& count) {
  double sum = 0;
  for (const MicroBatch& batch : batches) sum += count(batch);
  return sum;
}

double all_positions(const MicroBatch& batch) { return double(batch.y.size()); }
double one(const MicroBatch&) { return 1; }

template <class Count>
double sum_over(const std::vector<MicroBatches>& ranks, const Count& count) {
  double sum = 0;
  for (const MicroBatches& batches : ranks) sum += sum_over(batches, count);
  return sum;
}

// The gradient if a micro-batch's mean loss is weighted with count(batch) over the sum of these.
template <class Count>
Whole weighted(const std::vector<float>& logits, int64_t V, const std::vector<MicroBatches>& ranks,
               const Count& count) {
  const double all = sum_over(ranks, count);
  return oracle(logits, V, ranks, [&](const MicroBatches&, const MicroBatch& batch) {
    return count(batch) / all / targets_in(batch);
  });
}

Whole weighted_by_rank(const std::vector<float>& logits, int64_t V, const std::vector<MicroBatches>& ranks) {
  return oracle(logits, V, ranks, [&](const MicroBatches& batches, const MicroBatch&) {
    return 1 / sum_over(batches, targets_in) / double(ranks.size());
  });
}

// Whether the gradient is the one of a mistake that has a name.
bool is(const Result& result, const Values& wrong, const Whole& right) {
  return close(std::get<0>(result), wrong, kTolerance) && !close(wrong, right.gradient, 10 * kTolerance);
}

void check_whole(const Result& result, const Whole& whole) {
  CHECK_CLOSE(std::get<0>(result), whole.gradient, kTolerance,
              "the gradient is not that of the mean over all targets of the batch");
  CHECK_CLOSE(std::get<1>(result), whole.loss, 1e-5,
              "the loss is not the mean over all targets of the batch");
}

}  // namespace

CASE("lengths 1 to 64") {
  for (const int64_t count : {int64_t{1}, draw.integer(3, 8)}) {
    const int64_t V = draw.integer(5, 12);
    auto batches = random_batches(draw, count, 1, V);
    if (count > 1) batches[0].x.resize(1), batches[0].y.resize(1);
    WITH("{} micro-batches with a sequence each", count);
    const auto logits = draw.uniform(V * V, -2, 2);
    const auto result = STUDENT(train(logits, V, {batches}));
    const Whole whole = weighted(logits, V, {batches}, targets_in);
    CHECK(
        !is(result, weighted(logits, V, {batches}, one).gradient, whole),
        "this is the mean of the means: a token of a short sequence counts more than one of a long sequence");
    check_whole(result, whole);
    int64_t largest = 0;
    for (const MicroBatch& batch : batches) largest = std::max(largest, int64_t(batch.x.size()));
    CHECK(std::get<2>(result) == largest,
          "the model got {} positions in one call, the largest micro-batch has {}: one micro-batch at a "
          "time, or the memory does not suffice",
          std::get<2>(result), largest);
  }
}

CASE("padding") {
  const int64_t V = draw.integer(5, 12), count = draw.integer(3, 6);
  auto batches = random_batches(draw, count, 3, V);
  batches.push_back(random_batch(draw, 1, V));  // without padding
  WITH("{} micro-batches, most of them with three padded sequences", count + 1);
  const auto logits = draw.uniform(V * V, -2, 2);
  const auto targets = STUDENT(count_targets(batches));
  CHECK(double(targets) != sum_over(batches, all_positions),
        "positions of padding are counted as targets: their target is kNoTarget");
  CHECK_EQUAL(targets, sum_over(batches, targets_in), "the number of targets is wrong");
  const auto result = STUDENT(train(logits, V, {batches}));
  const Whole whole = weighted(logits, V, {batches}, targets_in);
  CHECK(!is(result, weighted(logits, V, {batches}, all_positions).gradient, whole),
        "a micro-batch is weighted with all of its positions: positions of padding are counted, too");
  check_whole(result, whole);
}

CASE("without targets") {
  const int64_t V = draw.integer(5, 12);
  auto batches = random_batches(draw, 3, 2, V);
  std::fill(batches[1].y.begin(), batches[1].y.end(), kNoTarget);
  const auto logits = draw.uniform(V * V, -2, 2);
  const auto result = STUDENT(train(logits, V, {batches}));
  CHECK(!std::isnan(std::get<1>(result)) && !std::isnan(std::get<0>(result)[0]),
        "a micro-batch without targets has the loss NaN, and NaN times 0 is NaN: leave it out");
  batches.erase(batches.begin() + 1);
  check_whole(result, weighted(logits, V, {batches}, targets_in));
}

CASE("several ranks") {
  const int64_t V = draw.integer(5, 12);
  std::vector<MicroBatches> ranks;
  for (int64_t rank = draw.integer(2, 4); rank > 0; --rank) {
    const int64_t count = draw.integer(1, 4);
    ranks.push_back(random_batches(draw, count, 2, V));
  }
  WITH("{} ranks", ranks.size());
  const auto logits = draw.uniform(V * V, -2, 2);
  const auto result = STUDENT(train(logits, V, ranks));
  const Whole whole = weighted(logits, V, ranks, targets_in);
  Values divided = whole.gradient;
  for (double& value : divided) value /= double(ranks.size());
  CHECK(!is(result, divided, whole),
        "the gradient is {} times too small: the ranks' gradients are averaged afterwards, so each has to be "
        "larger by the number of ranks",
        ranks.size());
  CHECK(!is(result, weighted_by_rank(logits, V, ranks).gradient, whole),
        "each rank divides by its own targets: a token on a rank with few targets counts more");
  check_whole(result, whole);
}
