//@fails loss of the answer | this is the loss of the whole line
//@solution E2 loss
const int64_t B = int64_t(lines.size()) / kLine;
std::vector<int32_t> x, y;
for (auto line = lines.begin(); line != lines.end(); line += kLine) {
  x.insert(x.end(), line, line + kLine - 1);
  y.insert(y.end(), line + 1, line + kLine);
}
return cross_entropy(model(from_vector(x, {B, kLine - 1})), from_vector(y, {B, kLine - 1}));
//@end
