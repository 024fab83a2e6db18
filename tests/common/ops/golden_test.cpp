// Ops and oracles against torch in float64 (tests/golden/ops.py): a mistake that an op and its oracle share would
// show here.
#include "tests/common/golden.h"
#include "tests/common/ops/op_checks.h"

namespace gpt2::testing {
namespace {

// The goldens are rounded to float32 once.
constexpr double kRounding = 1e-7;

class OpGoldenTest : public OnEveryDevice {
 protected:
  const GoldenTensors golden_{"ops.safetensors"};

  // The names before ".x" that start with `op`: "gelu.3x5x7"
  std::vector<std::string> cases(const std::string& op) const {
    std::vector<std::string> cases;
    for (const std::string& name : golden_.names()) {
      if (name.starts_with(op + ".") && name.ends_with(".x"))
        cases.push_back(name.substr(0, name.size() - 2));
    }
    EXPECT_EQ(cases.size(), 3u) << op;
    return cases;
  }
  Input input(const std::string& name) const { return {golden_.shape(name), golden_.floats(name)}; }
  Values values(const std::string& name) const { return to_double(golden_.floats(name)); }
};

TEST_P(OpGoldenTest, Gelu) {
  for (const std::string& c : cases("gelu")) {
    const Op op = [](const std::vector<Tensor>& in) { return gelu(in[0]); };
    const OpResult actual = differentiate(device(), {input(c + ".x")}, op, golden_.floats(c + ".dy"));
    EXPECT_LE(max_relative_error(actual.y, values(c + ".y")), 1e-6) << c;
    EXPECT_LE(max_relative_error(actual.gradients[0], values(c + ".dx")), 1e-6) << c;
    const Values x = values(c + ".x"), dy = values(c + ".dy");
    EXPECT_LE(max_relative_error(oracle::gelu(x), values(c + ".y")), kRounding) << c;
    EXPECT_LE(max_relative_error(oracle::gelu_backward(x, dy), values(c + ".dx")), kRounding) << c;
  }
}

TEST_P(OpGoldenTest, Softmax) {
  for (const std::string& c : cases("softmax")) {
    const Op op = [](const std::vector<Tensor>& in) { return softmax(in[0]); };
    const OpResult actual = differentiate(device(), {input(c + ".x")}, op, golden_.floats(c + ".dy"));
    EXPECT_LE(max_relative_error(actual.y, values(c + ".y")), 2e-6) << c;
    EXPECT_LE(max_relative_error(actual.gradients[0], values(c + ".dx")), 2e-6) << c;
    const int64_t cols = golden_.shape(c + ".x").back();
    const Values y = oracle::softmax(values(c + ".x"), cols);
    EXPECT_LE(max_relative_error(y, values(c + ".y")), kRounding) << c;
    const Values dx = oracle::softmax_backward(y, values(c + ".dy"), cols);
    EXPECT_LE(max_relative_error(dx, values(c + ".dx")), kRounding) << c;
  }
}

TEST_P(OpGoldenTest, CrossEntropy) {
  for (const std::string& c : cases("cross_entropy")) {
    const Ids targets = golden_.ids(c + ".targets");
    const Tensor ids = from_vector(targets, golden_.shape(c + ".targets"), device());
    const Op op = [&](const std::vector<Tensor>& in) { return cross_entropy(in[0], ids); };
    const OpResult actual = differentiate(device(), {input(c + ".x")}, op, {1});
    EXPECT_LE(max_relative_error(actual.y, values(c + ".y")), 1e-6) << c;
    EXPECT_LE(max_relative_error(actual.gradients[0], values(c + ".dx")), 1e-6) << c;
    const Values x = values(c + ".x");
    EXPECT_LE(max_relative_error(Values{oracle::cross_entropy(x, targets).loss}, values(c + ".y")), kRounding)
        << c;
    const Values dx = oracle::cross_entropy_backward(x, targets, 1);
    EXPECT_LE(max_relative_error(dx, values(c + ".dx")), kRounding) << c;
  }
}

// x is 100 +- 1, where neighbouring floats are 8e-6 apart: the mean may be off by half of that, and 1/std times as
// much the normalised values.
TEST_P(OpGoldenTest, LayerNorm) {
  for (const std::string& c : cases("layer_norm")) {
    const Op op = [](const std::vector<Tensor>& in) { return layer_norm(in[0], in[1], in[2], 1e-5f); };
    const std::vector<Input> inputs = {input(c + ".x"), input(c + ".weight"), input(c + ".bias")};
    const OpResult actual = differentiate(device(), inputs, op, golden_.floats(c + ".dy"));
    const Values x = values(c + ".x"), weight = values(c + ".weight"), dy = values(c + ".dy");
    const auto forward = oracle::layer_norm(x, weight, values(c + ".bias"), 1e-5);
    const auto oracle = oracle::layer_norm_backward(dy, x, weight, 1e-5);
    const double tolerance = 1e-6 + 4e-6 * *std::max_element(forward.rstd.begin(), forward.rstd.end());
    EXPECT_LE(max_relative_error(actual.y, values(c + ".y")), tolerance) << c;
    EXPECT_LE(max_relative_error(forward.y, values(c + ".y")), kRounding) << c;
    EXPECT_LE(max_relative_error(actual.gradients[1], values(c + ".dweight")), tolerance) << c;
    EXPECT_LE(max_relative_error(oracle.dweight, values(c + ".dweight")), kRounding) << c;
    EXPECT_LE(max_relative_error(actual.gradients[2], values(c + ".dbias")), 1e-6) << c;
    EXPECT_LE(max_relative_error(oracle.dbias, values(c + ".dbias")), kRounding) << c;
    EXPECT_LE(max_relative_error(oracle.dx, values(c + ".dx")), kRounding) << c;
    // Of two columns dx is 0 but for eps: what is left of the cancellation is not comparable.
    if (weight.size() > 2) {
      EXPECT_LE(max_relative_error(actual.gradients[0], values(c + ".dx")), tolerance) << c;
    }
  }
}

INSTANTIATE_ON_EVERY_DEVICE(OpGoldenTest);

}  // namespace
}  // namespace gpt2::testing
