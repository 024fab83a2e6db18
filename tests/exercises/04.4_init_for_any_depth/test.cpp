#include "stack.h"
#include "tests/exercises/tensors.h"

namespace {

double deviation(const Values& values) {
  double sum = 0, squares = 0;
  for (const double value : values) sum += value, squares += value * value;
  const double mean = sum / double(values.size());
  return std::sqrt(squares / double(values.size()) - mean * mean);
}

// Weights and biases of both layers of the last branch of the first block.
std::vector<Tensor> layers_of_branch(int64_t seed, int64_t C, int64_t L) {
  nn::manual_seed(uint64_t(seed));
  Stack stack(50, C, L, /*tied=*/true);
  const Branch& mlp = stack.blocks[0].mlp;
  return {mlp.in.weight.detach(), mlp.in.bias.detach(), mlp.out.weight.detach(), mlp.out.bias.detach()};
}

Tensor stream_of(int64_t seed, int64_t C, int64_t L, const Ids& ids) {
  const NoGrad no_grad;
  nn::manual_seed(uint64_t(seed));
  Stack stack(100, C, L, /*tied=*/true);
  return stack.stream(from_vector(ids, {int64_t(ids.size())}));
}

Tensor embedding_of(int64_t seed, bool tied) {
  nn::manual_seed(uint64_t(seed));
  const Stack stack(100, 64, 2, tied);
  return stack.wte.weight.detach();
}

}  // namespace

CASE("the layers of a branch") {
  for (const int64_t C : {int64_t{64}, 8 * draw.integer(10, 16)}) {
    const int64_t L = draw.integer(2, 5), seed = draw.integer(1, 1000);
    WITH("C = {}, {} blocks", C, L);
    const auto layers = STUDENT(layers_of_branch(seed, C, L));
    const double in = deviation(doubles(layers[0])) * std::sqrt(double(C));
    CHECK(std::abs(deviation(doubles(layers[0])) / 0.02 - 1) > 0.03,
          "the weights have GPT-2's standard deviation, 0.02: here it depends on the number of inputs");
    CHECK(std::abs(in - 1) < 0.05,
          "the output of the first Linear of a branch has the standard deviation {:.2f} for inputs with 1: a "
          "sum of C "
          "products of variance s^2 has the variance C s^2",
          in);
    const double expected = 1 / std::sqrt(3.0 * double(L)),
                 out = deviation(doubles(layers[2])) * std::sqrt(4 * double(C));
    CHECK(std::abs(out - 1 / std::sqrt(2.0 * double(L))) > 0.03 * expected,
          "what a branch adds has the standard deviation 1 / sqrt(2 L), as in GPT-2; these blocks have three "
          "branches");
    CHECK(std::abs(out / expected - 1) < 0.05,
          "what a branch adds has the standard deviation {:.3f}, expected {:.3f}: its number of inputs is "
          "that of the "
          "second Linear, and all branches together are to add 1",
          out, expected);
    for (const size_t bias : {size_t{1}, size_t{3}})
      CHECK(deviation(doubles(layers[bias])) == 0 && doubles(layers[bias])[0] == 0, "the biases are not 0");
  }
}

CASE("4, 48 and 96 blocks") {
  const int64_t C = 8 * draw.integer(6, 9), T = 80, seed = draw.integer(1, 1000);
  const Ids ids = draw.ids(T, 100);
  for (const int64_t L : {4, 48, 96}) {
    WITH("{} blocks, C = {}", L, C);
    const auto x = STUDENT(stream_of(seed, C, L, ids));
    const double size = deviation(doubles(x));
    CHECK(size < 1.52,
          "the stream ends with the standard deviation {:.2f}, expected 1.41: too much is added to it", size);
    CHECK(size > 1.31,
          "the stream ends with the standard deviation {:.2f}, expected 1.41: too little is added to it",
          size);
  }
}

CASE("tied matrix") {
  const int64_t seed = draw.integer(1, 1000);
  const auto tied = STUDENT(embedding_of(seed, true));
  const auto own = STUDENT(embedding_of(seed, false));
  CHECK(std::abs(deviation(doubles(own)) - 1) < 0.05,
        "the embedding has the standard deviation {:.3f}, expected 1", deviation(doubles(own)));
  CHECK(close(tied, own, 0),
        "the matrix that embedding and head share is drawn twice: as the head's, it is drawn once more");
}
