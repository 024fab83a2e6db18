#include "addition.h"
#include "tests/exercises/tensors.h"

namespace {

constexpr int64_t kMostParameters = 1'000'000;

std::array<int64_t, 3> digits(int64_t number) { return {number / 100, number / 10 % 10, number % 10}; }

// The line of a sum, with its answer forwards or backwards.
Ids expected_line(int64_t a, int64_t b, const Symbols& symbols, bool backwards = true) {
  Ids line;
  for (const int64_t digit : digits(a)) line.push_back(symbols.digit[size_t(digit)]);
  line.push_back(symbols.plus);
  for (const int64_t digit : digits(b)) line.push_back(symbols.digit[size_t(digit)]);
  line.push_back(symbols.equals);
  Ids answer{symbols.digit[size_t((a + b) / 1000)]};
  for (const int64_t digit : digits((a + b) % 1000)) answer.push_back(symbols.digit[size_t(digit)]);
  if (backwards) std::reverse(answer.begin(), answer.end());
  line.insert(line.end(), answer.begin(), answer.end());
  return line;
}

// Without zeros before the numbers.
Ids short_line(int64_t a, int64_t b, const Symbols& symbols) {
  Ids line;
  const auto add = [&](std::string digits) {
    for (const char c : digits) line.push_back(symbols.digit[size_t(c - '0')]);
  };
  add(std::to_string(a)), line.push_back(symbols.plus), add(std::to_string(b)),
      line.push_back(symbols.equals);
  std::string answer = std::to_string(a + b);
  std::reverse(answer.begin(), answer.end());
  add(answer);
  return line;
}

// The mean cross entropy of predicting ids first to last - 1 of each line, each from the logits `shift`
// positions before.
double oracle_loss(const Values& logits, const Ids& lines, int64_t first, int64_t last, int64_t shift = 1) {
  Values rows;
  Ids targets;
  const size_t count = lines.size() / kLine;
  for (size_t row = 0; row < count; ++row) {
    for (int64_t t = first; t < last; ++t) {
      const auto from = logits.begin() + (int64_t(row) * kLine + t - shift) * kVocab;
      rows.insert(rows.end(), from, from + kVocab);
      targets.push_back(lines[row * kLine + size_t(t)]);
    }
  }
  return gpt2::testing::oracle::cross_entropy(rows, targets).loss;
}

// Logits of a random model, the student's loss, and the largest gradient that it gives the embeddings.
std::tuple<std::vector<float>, float, float> loss_of_random_model(int64_t seed, const Ids& ids) {
  nn::manual_seed(uint64_t(seed));
  GPT model({.vocab_size = kVocab, .n_positions = kLine, .n_embd = 16, .n_layer = 1, .n_head = 2});
  nn::init::normal_(model.lm_head.weight, 0, 1);
  const Tensor logits = model(from_vector(ids, {int64_t(ids.size()) / kLine, kLine})).detach();
  const Tensor loss = answer_loss(model, ids);
  float largest = 0;
  if (loss.requires_grad()) {
    loss.backward();
    for (const float value : model.lm_head.weight.grad().to_vector<float>())
      largest = std::max(largest, std::abs(value));
  }
  return {logits.to_vector<float>(), loss.item(), largest};
}

struct Sum {
  int64_t a, b;
};

std::vector<Sum> kept_sums(Draw& draw, size_t count) {
  std::vector<Sum> sums;
  while (sums.size() < count) {
    const int64_t a = draw.integer(0, 999), b = draw.integer(0, 999);
    if (is_kept_for_the_test(a, b)) sums.push_back({a, b});
  }
  return sums;
}

// The model's first choice for each of the four digits of each sum, after the right digits before it. If all
// four are right, then the model also writes them on its own.
Ids answers_of_model(const std::vector<Sum>& sums) {
  const NoGrad no_grad;
  const auto model = read_model(".", kMostParameters);
  require(model->config.vocab_size == kVocab, "the model's vocabulary has {} ids, expected {}",
          model->config.vocab_size, kVocab);
  require(model->config.n_positions >= kLine - 1, "the model's block size is {}, expected {} or more",
          model->config.n_positions, kLine - 1);
  Ids ids;
  for (const auto& [a, b] : sums) {
    const Ids line = expected_line(a, b, own_symbols());
    ids.insert(ids.end(), line.begin(), line.end() - 1);
  }
  const auto logits = (*model)(from_vector(ids, {int64_t(sums.size()), kLine - 1})).to_vector<float>();
  Ids answers;
  for (size_t row = 0; row < sums.size(); ++row) {
    for (int64_t t = kQuestion - 1; t < kLine - 1; ++t) {
      const auto first = logits.begin() + (int64_t(row) * (kLine - 1) + t) * kVocab;
      answers.push_back(int32_t(std::max_element(first, first + kVocab) - first));
    }
  }
  return answers;
}

// The sums whose four digits are right.
int64_t right_sums(const std::vector<Sum>& sums, const Ids& answers) {
  int64_t right = 0;
  for (size_t i = 0; i < sums.size() && 4 * i + 4 <= answers.size(); ++i) {
    const Ids line = expected_line(sums[i].a, sums[i].b, own_symbols());
    right += std::equal(line.end() - 4, line.end(), answers.begin() + int64_t(4 * i));
  }
  return right;
}

void check_share(const std::vector<Sum>& sums, const Ids& answers, int64_t percent) {
  const int64_t right = right_sums(sums, answers), count = int64_t(sums.size());
  CHECK(right * 100 > count * 5,
        "{} of {} sums are right: was this model trained with your symbols? They follow from your id, '{}'",
        right, count, student_id());
  CHECK(right * 100 >= count * percent, "{} of {} sums are right, expected {}%: train longer?", right, count,
        percent);
}

}  // namespace

CASE("lines") {
  const Symbols symbols = drawn_symbols(draw);
  const std::vector<Sum> sums{{0, 0},
                              {999, 999},
                              {7, 15},
                              {draw.integer(100, 999), draw.integer(0, 99)},
                              {draw.integer(0, 999), draw.integer(0, 999)}};
  for (const auto& [a, b] : sums) {
    WITH("{} + {} = {}", a, b, a + b);
    const auto line = STUDENT(line_of(a, b, symbols));
    const Ids expected = expected_line(a, b, symbols);
    CHECK(line != short_line(a, b, symbols) || line == expected,
          "zeros are missing: each number has three digits, and the answer four");
    CHECK(line != expected_line(a, b, symbols, /*backwards=*/false) || line == expected,
          "the answer begins with its first digit; the model should write the last one first");
    CHECK(line.size() == kLine, "the line has {} ids, expected {}", line.size(), kLine);
    CHECK(line == expected, "the ids are {}, expected {}", line, expected);
  }
}

CASE("loss of the answer") {
  for (const int64_t B : {int64_t{1}, draw.integer(2, 9)}) {
    WITH("{} lines", B);
    const Ids lines = draw.ids(B * kLine, kVocab);
    const int64_t seed = draw.integer(1, 1000);
    const auto [logits, loss, gradient] = STUDENT(loss_of_random_model(seed, lines));
    const Values z = doubles(logits);
    CHECK(!close(loss, oracle_loss(z, lines, 1, kLine), 1e-4),
          "this is the loss of the whole line: the digits of the question are random, and nobody can learn "
          "them");
    CHECK(!close(loss, oracle_loss(z, lines, kQuestion, kLine, /*shift=*/0), 0.05),
          "the logits at an id are asked for this id itself, and not for the one that follows");
    CHECK(!close(loss, oracle_loss(z, lines, kQuestion + 1, kLine), 1e-4),
          "the first digit of the answer is missing: equals predicts it");
    CHECK(!close(loss, oracle_loss(z, lines, kQuestion - 1, kLine), 1e-4) &&
              !close(loss, oracle_loss(z, lines, kQuestion - 1, kLine - 1), 1e-4),
          "equals is among the ids that are predicted: it belongs to the question");
    CHECK_CLOSE(loss, oracle_loss(z, lines, kQuestion, kLine), 1e-5,
                "the loss is not the mean over the four digits of the answer");
    CHECK(gradient > 1e-4, "no gradient comes from this loss: use the library's ops only");
  }
}

CASE("nine of ten sums") {
  const std::vector<Sum> sums = kept_sums(draw, 1000);
  const auto answers = STUDENT(answers_of_model(sums));
  check_share(sums, answers, 90);
}

CASE("98 of 100 sums") {
  const std::vector<Sum> sums = kept_sums(draw, 1000);
  const auto answers = STUDENT(answers_of_model(sums));
  check_share(sums, answers, 98);
}
