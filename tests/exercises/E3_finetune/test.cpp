#include "finetune.h"
#include "tests/exercises/tensors.h"

namespace {

constexpr int64_t kRepeated = 20;  // steps of each run that the test repeats

std::vector<float> logits_of(Beginning beginning, const Ids& ids) {
  const NoGrad no_grad;
  const auto model = first_model(beginning);
  return (*model)(from_vector(ids, {1, int64_t(ids.size())})).to_vector<float>();
}

GPT small_model(int64_t seed) {
  nn::manual_seed(uint64_t(seed));
  return GPT({.vocab_size = 256, .n_positions = kContext, .n_embd = 16, .n_layer = 1, .n_head = 2});
}

// The student's loss of a text, twice.
std::array<double, 2> losses_on(int64_t seed, const Ids& text) {
  GPT model = small_model(seed);
  nn::init::normal_(model.lm_head.weight, 0, 1);
  return {loss_on(model, text), loss_on(model, text)};
}

// The loss of each window, in order.
Values oracle_losses(int64_t seed, const Ids& text) {
  const NoGrad no_grad;
  GPT model = small_model(seed);
  nn::init::normal_(model.lm_head.weight, 0, 1);
  Values losses;
  for (int64_t begin = 0; begin + kContext < int64_t(text.size()); begin += kContext) {
    const auto at = text.begin() + begin;
    const Tensor ids = from_vector(Ids(at, at + kContext), {1, kContext});
    losses.push_back(
        gpt2::testing::oracle::cross_entropy(doubles(model(ids)), Ids(at + 1, at + 1 + kContext)).loss);
  }
  return losses;
}

double mean(const Values& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / double(values.size());
}

std::vector<double> training_losses(int64_t seed, const Texts& texts) {
  GPT model = small_model(seed);
  model.to(kCpu);
  return train(model, texts, Beginning::nothing, 6).train;
}

std::pair<std::vector<double>, std::vector<double>> repeated(Beginning beginning) {
  const auto model = first_model(beginning);
  const Log log = train(*model, own_texts(), beginning, kRepeated);
  return {log.train, log.val};
}

// log.csv has the rows of this run, and those of the first steps are what the repeated run gave.
void check_log(Beginning beginning, const std::vector<double>& train, const std::vector<double>& val) {
  const auto rows = last_column(text_of("log.csv"));
  const std::string name = name_of(beginning);
  const auto row = [&](const std::string& what, int64_t step) {
    const auto found = rows.find(fmt::format("{},{},{}", name, what, step));
    CHECK(found != rows.end(), "log.csv has no row {},{},{}: make it with ./course exercise run E3", name,
          what, step);
    return found == rows.end() ? 0 : found->second;
  };
  for (int64_t step = 0; step < kSteps; ++step) row("train", step);
  for (int64_t step = 0; step <= kSteps; step += kEvery) row("val", step);
  CHECK(int64_t(train.size()) == kRepeated && val.size() == 2,
        "train gave {} losses and {} validation losses for {} steps; expected {} and 2", train.size(),
        val.size(), kRepeated, kRepeated);
  CHECK(std::abs(row("val", 0) - val[0]) <= 1e-3 * val[0],
        "the validation loss before step 0 is {:.4f} in log.csv, and {:.4f} on the text of your id, '{}'",
        row("val", 0), val[0], student_id());
  for (int64_t step = 0; step < int64_t(train.size()); ++step) {
    const double logged = row("train", step), loss = train[size_t(step)];
    CHECK(std::abs(logged - loss) <= 1e-3 * loss,
          "from {}: step {} has loss {:.4f} in log.csv, and {:.4f} when it is repeated: the log is of "
          "another program",
          name, step, logged, loss);
  }
  CHECK(std::abs(row("val", kEvery) - val[1]) <= 1e-3 * val[1],
        "from {}: the validation loss before step {} is {:.4f} in log.csv, and {:.4f} when it is repeated",
        name, kEvery, row("val", kEvery), val[1]);
}

}  // namespace

CASE("first models") {
  const Texts texts = drawn_texts(draw);
  const Ids ids(texts.train.begin(), texts.train.begin() + kContext),
      next(texts.train.begin() + 1, texts.train.begin() + 1 + kContext);
  const auto of_nothing = STUDENT(logits_of(Beginning::nothing, ids));
  const auto of_tales = STUDENT(logits_of(Beginning::tales, ids));
  const auto expected = [&] {
    const NoGrad no_grad;
    return (*read_model(pretrained_folder(), 1'000'000))(from_vector(ids, {1, kContext})).to_vector<float>();
  };
  CHECK(!close(of_nothing, expected(), 1e-3), "the model from nothing has the pretrained weights");
  CHECK_CLOSE(of_tales, expected(), 1e-4,
              "the model from the tales does not have the weights of data/tales-gpt2");
  const double loss = gpt2::testing::oracle::cross_entropy(doubles(of_nothing), next).loss;
  CHECK(std::abs(loss - std::log(257.0)) < 0.3,
        "the loss of the model from nothing is {:.2f}, expected about ln 257", loss);
}

CASE("validation loss") {
  for (const int64_t windows : {int64_t{1}, int64_t{3}, draw.integer(4, 6)}) {
    const int64_t n = windows * kContext + draw.integer(1, kContext - 1), seed = draw.integer(1, 1000);
    WITH("a text of {} ids, {} windows", n, windows);
    const Ids text = draw.ids(n, 256);
    const auto [loss, again] = STUDENT(losses_on(seed, text));
    CHECK(loss == again, "the same text has the loss {:.6f}, then {:.6f}: start at its beginning each time",
          loss, again);
    const Values losses = oracle_losses(seed, text);
    CHECK(losses.size() == 1 || !close(loss, losses[0], 1e-6), "this is the loss of the first window alone");
    CHECK_CLOSE(loss, mean(losses), 1e-5, "the loss is not the mean over the whole windows of the text");
  }
}

CASE("validation text is not trained on") {
  const Texts texts = drawn_texts(draw), others = drawn_texts(draw);
  const int64_t seed = draw.integer(1, 1000);
  const auto losses = STUDENT(training_losses(seed, texts));
  const auto with_other_val = STUDENT(training_losses(seed, {texts.train, others.train}));
  const auto with_other_train = STUDENT(training_losses(seed, {others.train, texts.val}));
  CHECK(losses.size() == 6, "train gave {} losses for 6 steps", losses.size());
  CHECK(losses == with_other_val,
        "another validation text changes the losses of training: does the model learn from it?");
  CHECK(losses != with_other_train, "another training text does not change the losses of training");
}

CASE("log of the run from nothing") {
  const auto [train, val] = STUDENT(repeated(Beginning::nothing));
  check_log(Beginning::nothing, train, val);
}

CASE("pretraining helps") {
  const auto [train, val] = STUDENT(repeated(Beginning::tales));
  check_log(Beginning::tales, train, val);
  CHECK(val[0] > 0, "the validation loss is {}", val[0]);
  const auto rows = last_column(text_of("log.csv"));
  const auto last = [&](const std::string& name) {
    const auto found = rows.find(fmt::format("{},val,{}", name, kSteps));
    CHECK(found != rows.end(), "log.csv has no row {},val,{}", name, kSteps);
    return found == rows.end() ? 0 : found->second;
  };
  CHECK(last("tales") < last("nothing") - 0.05,
        "after {} steps the validation loss is {:.3f} from the tales, and {:.3f} from nothing: a smaller "
        "learning rate "
        "keeps more of what the model knows",
        kSteps, last("tales"), last("nothing"));
}
