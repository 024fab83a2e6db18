//@fails loss of the answer | asked for this id itself
//@solution E2 loss
const int64_t B = int64_t(lines.size()) / kLine, answer = kLine - kQuestion;
std::vector<int32_t> y;
for (auto line = lines.begin(); line != lines.end(); line += kLine)
  y.insert(y.end(), line + kQuestion, line + kLine);
const Tensor logits = model(from_vector(lines, {B, kLine}));
return cross_entropy(logits.slice(1, kQuestion, answer), from_vector(y, {B, answer}));
//@end
