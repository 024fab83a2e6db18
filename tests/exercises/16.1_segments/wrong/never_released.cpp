//@fails memory | or what a segment made again stays to the end
//@solution 16.1 gradient
std::vector<Activation> kept, inputs;
for (int begin = 0; begin < layers; begin += segment) {
  kept.push_back(std::move(x));
  if (begin + segment >= layers) break;
  x = chain[size_t(begin)].forward(kept.back());
  for (int i = begin + 1; i < begin + segment; ++i) x = chain[size_t(i)].forward(x);
}
std::vector<float> gradient = dy;
while (!kept.empty()) {
  const int begin = int(kept.size() - 1) * segment, end = std::min(begin + segment, layers);
  const size_t first = inputs.size();
  inputs.push_back(std::move(kept.back()));
  kept.pop_back();
  for (int i = begin; i + 1 < end; ++i) inputs.push_back(chain[size_t(i)].forward(inputs.back()));
  for (int i = end - 1; i >= begin; --i)
    gradient = chain[size_t(i)].backward(inputs[first + size_t(i - begin)], gradient);
}
return gradient;
//@end
