#include <cctype>

#include "experiment.h"
#include "tests/exercises/tensors.h"

namespace {

constexpr int64_t kRepeated = 60;  // steps of one run that the test repeats

int64_t parameters(const LanguageModel& model) { return model.num_parameters(); }

// The idea's logits of two sequences that agree up to `same`.
std::pair<std::vector<float>, std::vector<float>> logits_of_both(const Ids& one, const Ids& other) {
  const NoGrad no_grad;
  nn::manual_seed(1);
  const auto model = make_idea();
  const auto logits = [&](const Ids& ids) {
    return (*model)(from_vector(ids, {1, int64_t(ids.size())})).to_vector<float>();
  };
  return {logits(one), logits(other)};
}

// The rows of a model in runs.csv, by seed and step.
struct Runs {
  std::map<std::string, double> rows = last_column(text_of("runs.csv"));

  double at(const std::string& model, uint64_t seed, int64_t step) const {
    const auto found = rows.find(fmt::format("{},{},{}", model, seed, step));
    CHECK(found != rows.end(),
          "runs.csv has no row {},{},{}: the seeds of your id, '{}', are {}; run ./course exercise run E4",
          model, seed, step, student_id(), own_seeds());
    return found == rows.end() ? 0 : found->second;
  }

  std::vector<double> last(const std::string& model) const {
    std::vector<double> losses;
    for (const uint64_t seed : own_seeds()) losses.push_back(at(model, seed, kSteps));
    return losses;
  }
};

// runs.csv has all rows of this model, and the repeated run gives the first ones of this seed.
void check_runs(const std::string& model, uint64_t seed, const std::vector<double>& repeated) {
  const Runs runs;
  for (const uint64_t each : own_seeds()) {
    for (int64_t step = 0; step <= kSteps; step += kEvery) {
      const double loss = runs.at(model, each, step);
      CHECK(std::isfinite(loss), "the loss {},{},{} is not finite", model, each, step);
    }
  }
  for (size_t i = 0; i < repeated.size(); ++i) {
    const double logged = runs.at(model, seed, int64_t(i) * kEvery);
    CHECK(std::abs(logged - repeated[i]) <= 2e-3 * repeated[i],
          "{} with seed {}, before step {}: {:.4f} in runs.csv, and {:.4f} when it is repeated; make all "
          "runs again with "
          "the code that you hand in",
          model, seed, i * kEvery, logged, repeated[i]);
  }
}

// What follows from three runs each: the models differ if all losses of one lie below all of the other. If
// they were the same, chance would do this in two of 20 cases.
std::string verdict_of(const std::vector<double>& baseline, const std::vector<double>& idea) {
  const auto [b_low, b_high] = std::minmax_element(baseline.begin(), baseline.end());
  const auto [i_low, i_high] = std::minmax_element(idea.begin(), idea.end());
  return *i_high < *b_low ? "better" : *i_low > *b_high ? "worse" : "undecided";
}

// The letters with which a text begins, in lower case.
std::string first_word(const std::string& text) {
  std::string word;
  for (const char c : text) {
    if (!std::isalpha(static_cast<unsigned char>(c))) break;
    word += char(std::tolower(static_cast<unsigned char>(c)));
  }
  return word;
}

}  // namespace

CASE("another model") {
  const int64_t T = kContext, same = draw.integer(1, T - 1);
  const Ids ids = draw.ids(T, kSizes.vocab_size);
  Ids other = ids;
  for (int64_t t = same; t < T; ++t) other[size_t(t)] = int32_t((ids[size_t(t)] + 1) % kSizes.vocab_size);
  const uint64_t seed = own_seeds()[0];
  const auto [one, two] = STUDENT(logits_of_both(ids, other));
  const auto count = STUDENT(parameters(*make_idea()));
  const auto losses = STUDENT(validation_losses(make_idea, seed, kEvery));
  const auto of_baseline = STUDENT(validation_losses(make_baseline, seed, kEvery));
  const auto before = [&, same = same](const std::vector<float>& logits) {
    return Values(logits.begin(),
                  logits.begin() + std::min<int64_t>(same * kSizes.vocab_size, int64_t(logits.size())));
  };
  CHECK(int64_t(one.size()) == T * kSizes.vocab_size, "the model gives {} logits for {} ids, expected {}",
        one.size(), T, T * kSizes.vocab_size);
  CHECK(close(before(one), before(two), 1e-5),
        "the logits of the first {} ids change with the ids behind them: the model reads the future", same);
  const int64_t most = parameters(*make_baseline()) * 11 / 10;
  CHECK(count <= most, "the idea has {} parameters; {} are allowed, 10% more than the baseline has", count,
        most);
  CHECK(losses != of_baseline, "after {} steps the loss is that of the baseline: the two models are the same",
        kEvery);
}

CASE("baseline repeated") {
  const uint64_t seed = own_seeds()[size_t(draw.integer(0, 2))];
  const auto losses = STUDENT(validation_losses(make_baseline, seed, kRepeated));
  const auto of_idea = STUDENT(validation_losses(make_idea, seed, 0));
  CHECK(of_idea.size() == 1, "the idea cannot be run");
  check_runs("baseline", seed, losses);
}

CASE("idea repeated") {
  const uint64_t seed = own_seeds()[size_t(draw.integer(0, 2))];
  const auto losses = STUDENT(validation_losses(make_idea, seed, kRepeated));
  CHECK(losses.size() == kRepeated / kEvery + 1, "the idea cannot be run");
  check_runs("idea", seed, losses);
}

CASE("verdict") {
  const uint64_t seed = own_seeds()[size_t(draw.integer(0, 2))];
  const auto losses = STUDENT(validation_losses(make_idea, seed, kEvery));
  const std::string verdict = first_word(text_of("verdict.txt"));
  check_runs("idea", seed, losses);
  const Runs runs;
  const std::vector<double> baseline = runs.last("baseline"), idea = runs.last("idea");
  CHECK(verdict == "better" || verdict == "worse" || verdict == "undecided",
        "verdict.txt begins with '{:.20}'; expected better, worse or undecided", verdict);
  CHECK(verdict == verdict_of(baseline, idea),
        "verdict.txt says {}; the idea's last losses are {:.4f}, the baseline's {:.4f}: are all of one below "
        "all of the "
        "other?",
        verdict, fmt::join(idea, ", "), fmt::join(baseline, ", "));
}
