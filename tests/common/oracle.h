// Reference results for the kernels, in double. The oracles are slow and deliberately written in another way,
// so that a kernel and its oracle do not share a mistake: sums are not shifted by a maximum, variances come
// from pairs of values, gradients from full Jacobians. Each kernel's test also compares the gradients with
// finite differences of the forward oracle.
#pragma once

#include <cmath>
#include <cstdint>
#include <vector>

namespace gpt2::testing {

using Values = std::vector<double>;
using Ids = std::vector<int32_t>;

inline Values to_double(const std::vector<float>& values) { return Values(values.begin(), values.end()); }

inline double dot(const Values& a, const Values& b) {
  double total = 0;
  for (size_t i = 0; i < a.size(); ++i) total += a[i] * b[i];
  return total;
}

// The gradient of f: Values -> double at x, by central differences; accurate to about 1e-9.
template <class F>
Values finite_differences(const F& f, Values x) {
  constexpr double kStep = 1e-5;
  Values gradient;
  for (double& value : x) {
    const double center = value;
    value = center + kStep;
    const double above = f(x);
    value = center - kStep;
    gradient.push_back((above - f(x)) / (2 * kStep));
    value = center;
  }
  return gradient;
}

namespace oracle {

inline double gelu_tanh(double x) { return std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)); }

inline Values gelu(const Values& x) {
  Values y;
  for (const double value : x) y.push_back(value / 2 * (1 + gelu_tanh(value)));
  return y;
}

inline Values gelu_backward(const Values& x, const Values& dy) {
  Values dx;
  for (size_t i = 0; i < x.size(); ++i) {
    const double t = gelu_tanh(x[i]), du = std::sqrt(2 / M_PI) * (1 + 3 * 0.044715 * x[i] * x[i]);
    dx.push_back(dy[i] * ((1 + t) / 2 + x[i] / 2 * (1 - t * t) * du));
  }
  return dx;
}

// y_i = 1 / sum_j exp(x_j - x_i)
inline Values softmax(const Values& x, int64_t cols) {
  Values y;
  for (size_t i = 0; i < x.size(); ++i) {
    const size_t row = i / size_t(cols) * size_t(cols);
    double sum = 0;
    for (size_t j = row; j < row + size_t(cols); ++j) {
      if (x[j] != -INFINITY) sum += std::exp(x[j] - x[i]);
    }
    y.push_back(x[i] == -INFINITY ? 0 : 1 / sum);
  }
  return y;
}

// dx_i = sum_j dy_j dy_j/dx_i,   dy_j/dx_i = y_j ([i = j] - y_i)
inline Values softmax_backward(const Values& y, const Values& dy, int64_t cols) {
  Values dx;
  for (size_t i = 0; i < y.size(); ++i) {
    const size_t row = i / size_t(cols) * size_t(cols);
    double sum = 0;
    for (size_t j = row; j < row + size_t(cols); ++j) sum += dy[j] * y[j] * ((i == j) - y[i]);
    dx.push_back(sum);
  }
  return dx;
}

// The softmax of scale * x, up to the diagonal of (T, T) matrices.
inline Values causal_softmax(Values x, double scale, int64_t T) {
  for (size_t i = 0; i < x.size(); ++i) {
    const size_t row = i / size_t(T) % size_t(T), column = i % size_t(T);
    x[i] = column > row ? -INFINITY : scale * x[i];
  }
  return softmax(x, T);
}

// y is 0 beyond the diagonal, and so is dx.
inline Values causal_softmax_backward(const Values& y, const Values& dy, double scale, int64_t T) {
  Values dx = softmax_backward(y, dy, T);
  for (double& value : dx) value *= scale;
  return dx;
}

struct LayerNorm {
  Values y, mean, rstd;
};

// The variance is half the mean squared difference of two values.
inline LayerNorm layer_norm(const Values& x, const Values& weight, const Values& bias, double eps) {
  const size_t C = weight.size(), rows = x.size() / C;
  LayerNorm result;
  for (size_t row = 0; row < rows; ++row) {
    double mean = 0, variance = 0;
    for (size_t i = 0; i < C; ++i) {
      mean += x[row * C + i] / double(C);
      for (size_t j = 0; j < i; ++j) variance += std::pow((x[row * C + i] - x[row * C + j]) / double(C), 2);
    }
    result.mean.push_back(mean);
    result.rstd.push_back(1 / std::sqrt(variance + eps));
    for (size_t i = 0; i < C; ++i) {
      result.y.push_back((x[row * C + i] - mean) * result.rstd[row] * weight[i] + bias[i]);
    }
  }
  return result;
}

struct LayerNormGradients {
  Values dx, dweight, dbias;
};

// dx_i = sum_j dy_j dy_j/dx_i,   dy_j/dx_i = weight_j rstd ([i = j] - 1/C - x_hat_i x_hat_j / C)
inline LayerNormGradients layer_norm_backward(const Values& dy, const Values& x, const Values& weight,
                                              double eps) {
  const size_t C = weight.size(), rows = x.size() / C;
  const Values x_hat = layer_norm(x, Values(C, 1), Values(C, 0), eps).y;
  const Values rstd = layer_norm(x, weight, weight, eps).rstd;
  LayerNormGradients result{{}, Values(C), Values(C)};
  for (size_t row = 0; row < rows; ++row) {
    for (size_t i = 0; i < C; ++i) {
      double dx = 0;
      for (size_t j = 0; j < C; ++j) {
        const double same = i == j, pair = x_hat[row * C + i] * x_hat[row * C + j];
        dx += dy[row * C + j] * weight[j] * rstd[row] * (same - (1 + pair) / double(C));
      }
      result.dx.push_back(dx);
      result.dweight[i] += dy[row * C + i] * x_hat[row * C + i];
      result.dbias[i] += dy[row * C + i];
    }
  }
  return result;
}

struct CrossEntropy {
  double loss;
  Values losses, log_sum_exp;
};

// Not shifted: in double, exp does not overflow for logits up to 700.
inline CrossEntropy cross_entropy(const Values& logits, const Ids& targets) {
  const size_t rows = targets.size(), V = logits.size() / rows;
  CrossEntropy result{0, {}, {}};
  for (size_t row = 0; row < rows; ++row) {
    double sum = 0;
    for (size_t j = 0; j < V; ++j) sum += std::exp(logits[row * V + j]);
    result.log_sum_exp.push_back(std::log(sum));
    result.losses.push_back(-std::log(std::exp(logits[row * V + size_t(targets[row])]) / sum));
    result.loss += result.losses[row] / double(rows);
  }
  return result;
}

inline Values cross_entropy_backward(const Values& logits, const Ids& targets, double dloss) {
  const size_t rows = targets.size(), V = logits.size() / rows;
  Values dlogits;
  for (size_t row = 0; row < rows; ++row) {
    double sum = 0;
    for (size_t j = 0; j < V; ++j) sum += std::exp(logits[row * V + j]);
    for (size_t j = 0; j < V; ++j) {
      const double probability = std::exp(logits[row * V + j]) / sum;
      dlogits.push_back((probability - (j == size_t(targets[row]))) * dloss / double(rows));
    }
  }
  return dlogits;
}

// The first V of each row's Vp columns.
inline Values without_padding(const Values& rows, int64_t V, int64_t Vp) {
  Values kept;
  for (size_t i = 0; i < rows.size(); ++i) {
    if (i % size_t(Vp) < size_t(V)) kept.push_back(rows[i]);
  }
  return kept;
}

// Extends rows of V columns with zeros to Vp columns.
inline Values with_padding(const Values& rows, int64_t V, int64_t Vp) {
  Values padded(rows.size() / size_t(V) * size_t(Vp));
  for (size_t i = 0; i < rows.size(); ++i) padded[i / size_t(V) * size_t(Vp) + i % size_t(V)] = rows[i];
  return padded;
}

inline Values embedding(const Values& table, const Ids& ids, int64_t C) {
  Values y;
  for (const int32_t id : ids) {
    for (int64_t j = 0; j < C; ++j) y.push_back(table.at(size_t(id * C + j)));
  }
  return y;
}

// Written as a matrix product: the transposed one-hot rows of the ids, times dy.
inline Values embedding_backward(const Ids& ids, const Values& dy, int64_t vocab, int64_t C) {
  Values dtable;
  for (int64_t v = 0; v < vocab; ++v) {
    for (int64_t j = 0; j < C; ++j) {
      double sum = 0;
      for (size_t i = 0; i < ids.size(); ++i) sum += (ids[i] == v) * dy[i * size_t(C) + size_t(j)];
      dtable.push_back(sum);
    }
  }
  return dtable;
}

inline Values sum_rows(const Values& x, int64_t cols) {
  Values y(static_cast<size_t>(cols));
  for (size_t i = 0; i < x.size(); ++i) y[i % size_t(cols)] += x[i];
  return y;
}

}  // namespace oracle
}  // namespace gpt2::testing
