// Ops that fuse others: against the double oracle, and against the ops they fuse.
#include "tests/common/files.h"
#include "tests/common/ops/op_checks.h"

namespace gpt2::testing {
namespace {

class FusedOps : public OnEveryDevice {
 protected:
  // The same values and gradients from two ways of writing an op.
  void expect_same(const std::vector<Input>& inputs, const Op& fused, const Op& apart, double tolerance) {
    const Tensor y = [&] {
      const NoGrad no_grad;
      return apart(leaves_of(device(), inputs));
    }();
    const std::vector<float> dy = uniform(y.numel(), -1, 1, 7);
    const OpResult actual = differentiate(device(), inputs, fused, dy),
                   expected = differentiate(device(), inputs, apart, dy);
    EXPECT_LE(max_relative_error(actual.y, expected.y), tolerance);
    for (size_t i = 0; i < inputs.size(); ++i) {
      EXPECT_LE(max_relative_error(actual.gradients[i], expected.gradients[i]), tolerance) << "input " << i;
    }
  }
};

TEST_P(FusedOps, CausalSoftmaxAgreesWithTheDoubleOracle) {
  for (const int64_t positions : {1, 2, 9}) {
    const auto in_double = [=](const std::vector<Values>& v) {
      return oracle::softmax(oracle::causal_mask(oracle::scale(v[0], 0.25), positions), positions);
    };
    const auto fused = [](const std::vector<Tensor>& in) { return causal_softmax(in[0], 0.25); };
    const std::vector<Input> inputs = {random_input({2, 3, positions, positions}, 1, -8, 8)};
    if (positions > 1) expect_agrees_with_oracle(device(), inputs, fused, in_double);
    const auto apart = [](const std::vector<Tensor>& in) { return softmax(causal_mask(in[0] * 0.25)); };
    expect_same(inputs, fused, apart, 2e-6);
  }
}

// The sum goes on to the next block, its LayerNorm into the branch: both have gradients.
Tensor both(const std::pair<Tensor, Tensor>& results) { return results.first * 0.5 + results.second; }

TEST_P(FusedOps, AddLayerNormIsAdditionThenLayerNorm) {
  for (const Shape& branch : {Shape{2, 7, 40}, Shape{7, 40}, Shape{40}}) {
    const std::vector<Input> inputs = {random_input({2, 7, 40}, 1), random_input(branch, 2),
                                       random_input({40}, 3), random_input({40}, 4)};
    const auto fused = [](const std::vector<Tensor>& in) {
      return both(add_layer_norm(in[0], in[1], in[2], in[3], 1e-5f));
    };
    const auto apart = [](const std::vector<Tensor>& in) {
      const Tensor sum = in[0] + in[1];
      return both({sum, layer_norm(sum, in[2], in[3], 1e-5f)});
    };
    expect_same(inputs, fused, apart, 5e-6);
  }
}

TEST_P(FusedOps, AddLayerNormWhoseSumNobodyUses) {
  const std::vector<Input> inputs = {random_input({3, 33}, 1), random_input({3, 33}, 2),
                                     random_input({33}, 3), random_input({33}, 4)};
  const auto fused = [](const std::vector<Tensor>& in) {
    return add_layer_norm(in[0], in[1], in[2], in[3], 1e-5f).second;
  };
  const auto apart = [](const std::vector<Tensor>& in) {
    return layer_norm(in[0] + in[1], in[2], in[3], 1e-5f);
  };
  expect_same(inputs, fused, apart, 5e-6);
}

TEST_P(FusedOps, CrossEntropyInPlaceIsCrossEntropyOfTheVocabulary) {
  const Tensor targets = from_vector(Ids{3, 0, 9, 4}, {4}, device());
  const std::vector<Input> inputs = {random_input({4, 8}, 1), random_input({13, 8}, 2)};
  const auto fused = [&](const std::vector<Tensor>& in) {
    return fused_cross_entropy(linear(in[0], in[1], {}), targets, 10);
  };
  const auto apart = [&](const std::vector<Tensor>& in) {
    return cross_entropy(linear(in[0], in[1], {}).slice(-1, 0, 10), targets);
  };
  expect_same(inputs, fused, apart, 2e-6);
}

// The factor 0.3 reaches the products of linear as a number on the device, and other ops as a multiplication.
TEST_P(FusedOps, CrossEntropyInPlaceTimesAFactor) {
  const Tensor targets = from_vector(Ids{3, 0, 9, 4}, {4}, device());
  const std::vector<Input> inputs = {random_input({4, 8}, 1), random_input({13, 8}, 2),
                                     random_input({13}, 3)};
  for (const bool with_bias : {false, true}) {
    for (const bool through_a_view : {false, true}) {
      const auto logits = [&](const std::vector<Tensor>& in) {
        const Tensor y = linear(in[0], in[1], with_bias ? in[2] : Tensor());
        const Tensor z = through_a_view ? y.view({2, 2, 13}) : y;
        return with_bias ? z : z + in[2];
      };
      const auto fused = [&](const std::vector<Tensor>& in) {
        return fused_cross_entropy(logits(in), targets, 13) * 0.3 * 2;
      };
      const auto apart = [&](const std::vector<Tensor>& in) {
        return cross_entropy(logits(in), targets) * 0.3 * 2;
      };
      expect_same(inputs, fused, apart, 2e-6);
    }
  }
}

TEST_P(FusedOps, CrossEntropyOfTiedWeightsAddsToAnEarlierGradient) {
  const Tensor targets = from_vector(Ids{3, 0, 9, 4}, {4}, device());
  const std::vector<Input> inputs = {random_input({4, 8}, 1), random_input({13, 8}, 2)};
  const auto run = [&](const auto& loss) {
    return [loss](const std::vector<Tensor>& in) {
      return loss(linear(in[0], in[1], {})) * 0.5 + loss(linear(in[0], in[1], {})) * 0.25;
    };
  };
  const auto fused = run([&](const Tensor& logits) { return fused_cross_entropy(logits, targets); });
  const auto apart = run([&](const Tensor& logits) { return cross_entropy(logits, targets); });
  expect_same(inputs, fused, apart, 2e-6);
}

// Nobody reads a gradient and takes it for logits.
TEST_P(FusedOps, LogitsThatAreGoneCannotBeRead) {
  const Tensor targets = from_vector(Ids{3, 0, 9, 4}, {4}, device());
  const auto leaf = [&] { return from_vector(uniform(40, -1, 1), {4, 10}, device()).set_requires_grad(); };
  const Tensor logits = leaf() * 1.0;
  const Tensor loss = fused_cross_entropy(logits, targets);
  EXPECT_ERROR(logits.to_vector<float>(), "fused_cross_entropy");
  EXPECT_ERROR(fused_cross_entropy(logits, targets), "under NoGrad");
  EXPECT_ERROR(copy_(leaf(), logits), "under NoGrad");
  loss.backward();
  EXPECT_ERROR(loss.backward(), "run the forward pass again");
  EXPECT_ERROR(logits.to_vector<float>(), "fused_cross_entropy");
}

TEST_P(FusedOps, LogitsThatSomebodyElseNeedsStayAsTheyAre) {
  const Tensor targets = from_vector(Ids{3, 0, 9, 4}, {4}, device());
  const std::vector<float> values = uniform(40, -1, 1);
  const Tensor leaf = from_vector(values, {4, 10}, device()).set_requires_grad();
  fused_cross_entropy(leaf, targets).backward();
  EXPECT_EQ(leaf.to_vector<float>(), values);
  const Tensor logits = leaf * 1.0, view = logits.slice(0, 1, 2);
  fused_cross_entropy(logits, targets).backward();
  EXPECT_EQ(logits.to_vector<float>(), values);
  const NoGrad no_grad;
  const Tensor unrecorded = leaf * 1.0;
  fused_cross_entropy(unrecorded, targets);
  EXPECT_EQ(unrecorded.to_vector<float>(), values);
}

TEST_P(FusedOps, CrossEntropyOfAnOpThatKeepsItsResult) {
  const Tensor targets = from_vector(Ids{3, 0, 9, 4}, {4}, device());
  const auto fused = [&](const std::vector<Tensor>& in) {
    return fused_cross_entropy(softmax(in[0]), targets);
  };
  const auto apart = [&](const std::vector<Tensor>& in) { return cross_entropy(softmax(in[0]), targets); };
  expect_same({random_input({4, 10}, 1)}, fused, apart, 2e-6);
}

TEST_P(FusedOps, CrossEntropyInPlaceKeepsNoSecondCopyOfTheLogits) {
  const Tensor targets = from_vector(Ids(64, 5), {64}, device());
  const Tensor leaf = from_vector(uniform(64 * 1000, -1, 1), {64, 1000}, device()).set_requires_grad();
  const auto peak = [&](const std::function<Tensor(const Tensor&)>& loss) {
    Heap& memory = heap(device());
    memory.reset_peak();
    const size_t before = memory.bytes_in_use();
    loss(leaf * 1.0).backward();
    return memory.peak_bytes() - before;
  };
  peak([&](const Tensor& x) { return cross_entropy(x, targets); });  // makes the leaf's gradient
  const size_t apart = peak([&](const Tensor& x) { return cross_entropy(x, targets); });
  const size_t fused = peak([&](const Tensor& x) { return fused_cross_entropy(x, targets); });
  EXPECT_LE(fused + 64 * 1000 * sizeof(float), apart + 4096);
}

TEST_P(FusedOps, ErrorsNameTheShapes) {
  const Tensor x = empty({2, 3, 4}, device()), w = empty({4}, device()),
               ids = empty({7}, device(), DType::i32);
  EXPECT_THROW(causal_softmax(x, 1), Error);
  EXPECT_THROW(add_layer_norm(x, empty({5}, device()), w, w, 1e-5f), Error);
  EXPECT_THROW(fused_cross_entropy(x, ids), Error);
}

INSTANTIATE_ON_EVERY_DEVICE(FusedOps);

}  // namespace
}  // namespace gpt2::testing
