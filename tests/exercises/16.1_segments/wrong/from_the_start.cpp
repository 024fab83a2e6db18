//@fails layers run twice at most | would start from the segment's beginning again
//@solution 16.1 gradient
std::vector<Activation> kept;
for (int begin = 0; begin < layers; begin += segment) {
  kept.push_back(std::move(x));
  if (begin + segment >= layers) break;
  x = chain[size_t(begin)].forward(kept.back());
  for (int i = begin + 1; i < begin + segment; ++i) x = chain[size_t(i)].forward(x);
}
std::vector<float> gradient = dy;
for (int i = layers - 1; i >= 0; --i) {
  const int begin = i / segment * segment;
  if (i == begin) {
    gradient = chain[size_t(i)].backward(kept.back(), gradient);
    kept.pop_back();
    continue;
  }
  Activation input = chain[size_t(begin)].forward(kept.back());
  for (int j = begin + 1; j < i; ++j) input = chain[size_t(j)].forward(input);
  gradient = chain[size_t(i)].backward(input, gradient);
}
return gradient;
//@end
