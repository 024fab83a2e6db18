#include "segments.h"

#include "tests/exercises/exercise.h"

namespace {

using exercise::Draw;
using Floats = std::vector<float>;

// Without the memory of x that the caller holds: x is handed over.
std::tuple<Floats, int, int, int> student_run(const Chain& chain, const Floats& x, const Floats& dy,
                                              int segment) {
  used = {};
  const Floats result = gradient(chain, Activation(x), dy, segment);
  return {result, used.most, used.forwards, used.live};
}

Chain random_chain(Draw& draw, int64_t layers) {
  Chain chain;
  for (int64_t i = 0; i < layers; ++i)
    chain.push_back({float(draw.pick({-1, 1}) * draw.number(0.8, 1.6)), float(draw.number(-0.3, 0.3))});
  return chain;
}

// In double, without a way back: the derivative is carried forward with the value.
std::vector<double> oracle(const Chain& chain, const Floats& x, const Floats& dy) {
  std::vector<double> result;
  for (size_t i = 0; i < x.size(); ++i) {
    double value = x[i], derivative = 1;
    for (const Layer& layer : chain) {
      value = std::tanh(double(layer.a) * value + double(layer.b));
      derivative *= double(layer.a) * (1 - value * value);
    }
    result.push_back(derivative * double(dy[i]));
  }
  return result;
}

int activations(int layers, int segment) { return (layers + segment - 1) / segment + segment; }

int fewest(int layers) {
  int result = layers + 1;
  for (int segment = 1; segment <= layers; ++segment) result = std::min(result, activations(layers, segment));
  return result;
}

std::vector<int> best_segments(int count) {
  std::vector<int> result;
  for (int layers = 1; layers <= count; ++layers) result.push_back(best_segment(layers));
  return result;
}

}  // namespace

CASE("gradient") {
  for (const int64_t layers : {int64_t{1}, int64_t{2}, int64_t{12}, draw.integer(5, 40)}) {
    const Chain chain = random_chain(draw, layers);
    const int64_t n = draw.integer(1, 5);
    const Floats x = draw.uniform(n, -1, 1), dy = draw.uniform(n, 0.5, 1);
    const auto expected = oracle(chain, x, dy);
    for (int segment = 1; segment <= int(layers); ++segment) {
      WITH("{} layers in segments of {}", layers, segment);
      const auto [dx, most, forwards, left] = STUDENT(student_run(chain, x, dy, segment));
      CHECK(layers == 1 || !close(dx, oracle(Chain(chain.rbegin(), chain.rend()), x, dy), 1e-4),
            "this is the gradient of the layers in reverse order");
      CHECK_CLOSE(dx, expected, 1e-4,
                  "the gradient of x is wrong: each layer's backward pass needs this layer's input");
    }
  }
}

CASE("memory") {
  for (const int64_t layers : {int64_t{48}, int64_t{36}, draw.integer(20, 60)}) {
    const Chain chain = random_chain(draw, layers);
    const Floats x{0.5f}, dy{1};
    for (const int segment : {1, 5, 7, int(draw.integer(2, 12)), int(layers)}) {
      WITH("{} layers in segments of {}", layers, segment);
      const auto [dx, most, forwards, left] = STUDENT(student_run(chain, x, dy, segment));
      const int allowed = activations(int(layers), segment) + 1;
      CHECK(most < int(layers) || allowed >= int(layers),
            "{} activations exist at once: the input of every layer is kept, or what a segment made again "
            "stays to the end",
            most);
      CHECK(most <= allowed,
            "{} activations exist at once, expected at most {}: what a segment made again ends before the "
            "next one "
            "begins, and the inputs of other layers are not kept",
            most, allowed);
      CHECK(left == 0, "{} activations still exist after the call", left);
      CHECK_CLOSE(dx, oracle(chain, x, dy), 1e-4, "the gradient of x is wrong");
    }
  }
}

CASE("layers run twice at most") {
  for (const int64_t layers : {int64_t{12}, draw.integer(20, 60)}) {
    const Chain chain = random_chain(draw, layers);
    const Floats x{0.5f}, dy{1};
    for (const int segment : {1, 4, int(draw.integer(2, 12)), int(layers)}) {
      WITH("{} layers in segments of {}", layers, segment);
      const auto [dx, most, forwards, left] = STUDENT(student_run(chain, x, dy, segment));
      CHECK(forwards <= 2 * int(layers),
            "layers are run forward {} times, expected at most {}: inside of a segment the inputs are kept, "
            "or each "
            "layer would start from the segment's beginning again",
            forwards, 2 * layers);
      CHECK_CLOSE(dx, oracle(chain, x, dy), 1e-4, "the gradient of x is wrong");
    }
  }
}

CASE("best segment") {
  const auto best = STUDENT(best_segments(500));
  for (int layers = 1; layers <= 500; ++layers) {
    const int segment = best[size_t(layers - 1)];
    CHECK(segment >= 1 && segment <= layers, "{} layers cannot have segments of {}", layers, segment);
    CHECK(activations(layers, segment) == fewest(layers),
          "{} layers in segments of {} need {} activations, but {} would do", layers, segment,
          activations(layers, segment), fewest(layers));
  }
}
