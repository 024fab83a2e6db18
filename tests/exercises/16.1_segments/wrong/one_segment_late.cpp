//@fails gradient | each layer's backward pass needs this layer's input
//@solution 16.1 gradient
std::vector<Activation> kept;
for (int begin = 0; begin < layers; begin += segment) {
  kept.push_back(std::move(x));
  if (begin + segment >= layers) break;
  x = chain[size_t(begin)].forward(kept.back());
  for (int i = begin + 1; i < begin + segment; ++i) x = chain[size_t(i)].forward(x);
}
std::vector<float> gradient = dy;
for (int end = layers; end > 0; end = std::max(end - segment, 0)) {
  const int begin = std::max(end - segment, 0);
  std::vector<Activation> inputs;
  inputs.push_back(std::move(kept.back()));
  kept.pop_back();
  for (int i = begin; i + 1 < end; ++i) inputs.push_back(chain[size_t(i)].forward(inputs.back()));
  for (int i = end - 1; i >= begin; --i) gradient = chain[size_t(i)].backward(inputs[size_t(i - begin)], gradient);
}
return gradient;
//@end
