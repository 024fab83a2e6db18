// Exercise 16.1: backward through a chain of which only some activations are kept.
#include "segments.h"

#include "tests/exercises/todo.h"

std::vector<float> gradient(const Chain& chain, Activation x, const std::vector<float>& dy, int segment) {
  const int layers = int(chain.size());
  //@solution 16.1 gradient
  std::vector<Activation> kept;  // the inputs of the segments
  for (int begin = 0; begin < layers; begin += segment) {
    const int end = begin + segment;
    kept.push_back(std::move(x));
    if (end >= layers) break;  // nobody needs the output of the last segment
    x = chain[size_t(begin)].forward(kept.back());
    for (int i = begin + 1; i < end; ++i) x = chain[size_t(i)].forward(x);
  }
  std::vector<float> gradient = dy;
  while (!kept.empty()) {
    const int begin = int(kept.size() - 1) * segment, end = std::min(begin + segment, layers);
    std::vector<Activation> inputs;  // of the layers of this segment
    inputs.push_back(std::move(kept.back()));
    kept.pop_back();
    for (int i = begin; i + 1 < end; ++i) inputs.push_back(chain[size_t(i)].forward(inputs.back()));
    for (int i = end - 1; i >= begin; --i) {
      gradient = chain[size_t(i)].backward(inputs.back(), gradient);
      inputs.pop_back();
    }
  }
  return gradient;
  //@stub
  //| // TODO(16.1): forward, keeping the input of each segment; then segment by segment, the last one first. This
  //| // keeps the input of every layer:
  //| //   std::vector<Activation> inputs;
  //| //   inputs.push_back(std::move(x));
  //| //   for (int i = 0; i + 1 < layers; ++i) inputs.push_back(chain[size_t(i)].forward(inputs.back()));
  //| //   std::vector<float> gradient = dy;
  //| //   for (int i = layers - 1; i >= 0; --i) gradient = chain[size_t(i)].backward(inputs[size_t(i)], gradient);
  //| return COURSE_TODO("16.1");
  //@end
}

int best_segment(int layers) {
  //@solution 16.1 best
  int best = 1;
  const auto activations = [&](int segment) { return (layers + segment - 1) / segment + segment; };
  for (int segment = 2; segment <= layers; ++segment) {
    if (activations(segment) < activations(best)) best = segment;
  }
  return best;
  //@stub
  //| // TODO(16.1)
  //| return COURSE_TODO("16.1");
  //@end
}
