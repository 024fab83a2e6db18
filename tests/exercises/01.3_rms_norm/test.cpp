#include "rms_norm.h"

#include "tests/exercises/tensors.h"

namespace {

Values oracle(const Values& x, const Values& weight, double eps) {
  const size_t C = weight.size();
  Values y;
  for (size_t i = 0; i < x.size(); ++i) {
    double squares = 0;
    for (size_t j = i / C * C; j < (i / C + 1) * C; ++j) squares += x[j] * x[j];
    y.push_back(weight[i % C] * x[i] / std::sqrt(squares / double(C) + eps));
  }
  return y;
}

// eps added to the root instead of under it
Values eps_outside(const Values& x, const Values& weight, double eps) {
  Values y = oracle(x, weight, 0);  // weight x / rms
  for (size_t i = 0; i < x.size(); ++i) {
    const double wx = weight[i % weight.size()] * x[i];
    y[i] = wx / (wx / y[i] + eps);
  }
  return y;
}

struct Filled {
  RMSNorm norm;
  Filled(const std::vector<float>& weight, double eps) : norm(nullptr, "", int64_t(weight.size()), eps) {
    copy_(norm.weight.detach(), from_vector(weight, {int64_t(weight.size())}));
  }
};

Tensor output(const std::vector<float>& x, const std::vector<float>& weight, double eps) {
  const int64_t C = int64_t(weight.size());
  return Filled(weight, eps).norm(from_vector(x, {int64_t(x.size()) / C, C})).detach();
}

// The gradients of x and weight of sum(y * dy).
std::pair<Tensor, Tensor> student_gradients(const std::vector<float>& x, const std::vector<float>& weight,
                                            const std::vector<float>& dy) {
  const int64_t n = int64_t(x.size()), C = int64_t(weight.size());
  const Filled filled(weight, 1e-5);
  const auto f = [&](const std::vector<Tensor>& leaf) {
    return matmul(filled.norm(leaf[0]).view({1, n}), from_vector(dy, {n, 1}));
  };
  const Tensor dx = gradients(f, {from_vector(x, {n / C, C})})[0];
  return {dx, filled.norm.weight.grad()};
}

// The names of the parameters of a model with two norms, and the values of all.
std::pair<std::vector<std::string>, std::vector<float>> parameters_of_model(int64_t size) {
  struct Model : nn::Module {
    explicit Model(int64_t size) : first(this, "first", size), last(this, "last", size + 1) {}
    RMSNorm first, last;
  };
  const Model model(size);
  std::pair<std::vector<std::string>, std::vector<float>> result;
  for (const auto& [name, tensor] : model.named_parameters()) {
    const auto values = tensor->to_vector<float>();
    result.first.push_back(name);
    result.second.insert(result.second.end(), values.begin(), values.end());
  }
  return result;
}

}  // namespace

CASE("parameters") {
  const int64_t size = draw.integer(3, 50);
  const auto [names, values] = STUDENT(parameters_of_model(size));
  CHECK(!names.empty(), "the norms have no parameter: register_parameter makes the weight known");
  CHECK(names == (std::vector<std::string>{"first.weight", "last.weight"}),
        "two norms, first and last, have the parameters {}; expected first.weight and last.weight, without a "
        "bias",
        names);
  CHECK_EQUAL(values, Values(size_t(2 * size + 1), 1), "the weights are to begin with ones");
}

CASE("forward") {
  for (const double mean : {0.0, 3.0}) {
    const int64_t rows = draw.integer(1, 5), C = draw.pick<int64_t>({1, 39, 64, 127});
    WITH("{} rows of {} values with mean {}", rows, C, mean);
    const auto x = draw.normal(rows * C, mean), weight = draw.uniform(C, 0.5, 2);
    const auto y = STUDENT(output(x, weight, 1e-5));
    const Values centred =
        gpt2::testing::oracle::layer_norm(doubles(x), doubles(weight), Values(size_t(C)), 1e-5).y;
    CHECK(close(centred, oracle(doubles(x), doubles(weight), 1e-5), 1e-3) || !close(y, centred, 1e-4),
          "this is LayerNorm: RMSNorm does not subtract the mean");
    CHECK(!close(y, oracle(doubles(x), Values(size_t(C), 1), 1e-5), 1e-4), "the weight is missing");
    CHECK_CLOSE(y, oracle(doubles(x), doubles(weight), 1e-5), 1e-5,
                "the output is not x / sqrt(mean(x^2) + eps) * weight");
  }
}

CASE("tiny inputs") {
  const int64_t C = draw.integer(20, 60);
  const double eps = draw.number(0.5e-3, 2e-3);
  WITH("C = {}, eps = {:.2g}, x near 0.01", C, eps);
  const auto x = draw.uniform(2 * C, 0.005, 0.015), weight = draw.uniform(C, 0.5, 2);
  const auto y = STUDENT(output(x, weight, eps));
  CHECK(!close(y, eps_outside(doubles(x), doubles(weight), eps), 1e-4),
        "eps is added to the root: it belongs under it, to the mean of the squares");
  CHECK(!close(y, oracle(doubles(x), doubles(weight), 1e-5), 1e-4),
        "eps is always 1e-5: use the one that the constructor got");
  CHECK_CLOSE(y, oracle(doubles(x), doubles(weight), eps), 1e-5,
              "the output is not x / sqrt(mean(x^2) + eps) * weight");
  const auto zero = STUDENT(output(std::vector<float>(size_t(C)), weight, eps));
  CHECK_EQUAL(zero, Values(size_t(C)), "a row of zeros is to stay zero");
}

CASE("gradient of x") {
  for (const int64_t C : {int64_t{39}, draw.integer(2, 30)}) {
    const int64_t rows = draw.integer(1, 3);
    WITH("{} rows of {} values", rows, C);
    const auto x = draw.normal(rows * C, 1), weight = draw.uniform(C, 0.5, 2), dy = draw.normal(rows * C);
    const auto dx = STUDENT(student_gradients(x, weight, dy).first);
    const auto f = [&](const Values& at) {
      return gpt2::testing::dot(oracle(at, doubles(weight), 1e-5), doubles(dy));
    };
    Values direct =
        oracle(doubles(x), doubles(weight), 1e-5);  // becomes dy weight r, without the second term
    for (size_t i = 0; i < direct.size(); ++i) direct[i] *= double(dy[i]) / double(x[i]);
    CHECK(!close(dx, direct, 1e-4),
          "r is taken for a constant, but it depends on every x of the row: the second term is missing");
    CHECK_CLOSE(dx, gpt2::testing::finite_differences(f, doubles(x)), 1e-4,
                "the gradient of x differs from finite differences");
  }
}

CASE("gradient of the weight") {
  const int64_t C = 39, rows = draw.integer(2, 5);
  WITH("{} rows of {} values", rows, C);
  const auto x = draw.normal(rows * C, 1), weight = draw.uniform(C, 0.5, 2), dy = draw.normal(rows * C);
  const auto dweight = STUDENT(student_gradients(x, weight, dy).second);
  const auto f = [&](const Values& at) {
    return gpt2::testing::dot(oracle(doubles(x), at, 1e-5), doubles(dy));
  };
  CHECK(dweight.defined(), "no gradient reaches the weight: is it registered?");
  CHECK_CLOSE(dweight, gpt2::testing::finite_differences(f, doubles(weight)), 1e-4,
              "the gradient of the weight differs from finite differences; each of the {} rows adds to it",
              rows);
}
