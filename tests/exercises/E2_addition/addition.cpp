// Exercise E2: sums as lines of ids, and the loss of their answers.
#include "addition.h"

#include "tests/exercises/todo.h"

using namespace gpt2;

std::vector<int32_t> line_of(int64_t a, int64_t b, const Symbols& symbols) {
  //@solution E2 line
  std::vector<int32_t> line;
  const auto digit = [&](int64_t number, int64_t power) {
    line.push_back(symbols.digit[size_t(number / power % 10)]);
  };
  for (const int64_t power : {100, 10, 1}) digit(a, power);
  line.push_back(symbols.plus);
  for (const int64_t power : {100, 10, 1}) digit(b, power);
  line.push_back(symbols.equals);
  for (const int64_t power : {1, 10, 100, 1000}) digit(a + b, power);  // as one adds by hand
  return line;
  //@stub
  //| // TODO(E2): 7 + 15 is 0 0 7 + 0 1 5 = 2 2 0 0, each as its id in `symbols`.
  //| return COURSE_TODO("E2");
  //@end
}

Tensor answer_loss(exercise::GPT& model, const std::vector<int32_t>& lines) {
  //@solution E2 loss
  const int64_t B = int64_t(lines.size()) / kLine, answer = kLine - kQuestion;
  std::vector<int32_t> x, y;
  for (auto line = lines.begin(); line != lines.end(); line += kLine) {
    x.insert(x.end(), line, line + kLine - 1);
    y.insert(y.end(), line + kQuestion, line + kLine);
  }
  const Tensor logits = model(from_vector(x, {B, kLine - 1}));      // position t predicts id t + 1
  const Tensor of_answer = logits.slice(1, kQuestion - 1, answer);  // (B, 4, V), the first one from equals
  return cross_entropy(of_answer, from_vector(y, {B, answer}));
  //@stub
  //| // TODO(E2): the model reads 11 ids of each line, and the loss is that of the last four that follow.
  //| return COURSE_TODO("E2");
  //@end
}
