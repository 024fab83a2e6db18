#include "foreign.h"

#include "tests/exercises/tensors.h"

namespace {

namespace oracle = gpt2::testing::oracle;

struct Sizes {
  int64_t n_layer, n_head, head_size, V, T;
  int64_t C() const { return n_head * head_size; }
};

Tensors foreign_file(Draw& draw, const Sizes& sizes) {
  const int64_t C = sizes.C();
  Tensors file;
  const auto add = [&](const std::string& name, const Shape& shape, double mean = 0) {
    file[name] = from_vector(draw.normal(numel(shape), mean, 0.3), shape);
  };
  const auto add_norm = [&](const std::string& name) {
    add(name + ".gain", {C}, 1), add(name + ".shift", {C});
  };
  const auto add_linear = [&](const std::string& name, const Shape& shape, int64_t out) {
    add(name + ".weight", shape), add(name + ".bias", {out});
  };
  add("embed.tokens", {sizes.V, C});
  add("embed.positions", {sizes.T, C});
  for (int64_t layer = 0; layer < sizes.n_layer; ++layer) {
    const std::string block = fmt::format("layers.{}.", layer);
    add_norm(block + "norm1");
    add_linear(block + "attention.kqv", {3 * C, C}, 3 * C);
    add_linear(block + "attention.out", {C, C}, C);
    add_norm(block + "norm2");
    add_linear(block + "mlp.up", {C, 4 * C}, 4 * C);
    add_linear(block + "mlp.down", {C, 4 * C}, C);
  }
  add_norm("final_norm");
  return file;
}

using Named = std::pair<std::vector<std::string>, std::vector<Tensor>>;

Named converted(const Tensors& file, int64_t n_head) {
  Named all;
  for (const auto& [name, tensor] : from_foreign(file, n_head)) {
    all.first.push_back(name);
    all.second.push_back(tensor.contiguous());
  }
  return all;
}

Tensor find(const Named& all, const std::string& name) {
  const auto at = std::find(all.first.begin(), all.first.end(), name);
  CHECK(at != all.first.end(), "{} is missing", name);
  return all.second[size_t(at - all.first.begin())];
}

Values transposed(const Tensor& x) { return doubles(x.transpose(0, 1).contiguous()); }

void check_same(const Named& all, const std::string& name, const Values& expected) {
  CHECK_EQUAL(find(all, name), expected, "{} has wrong values", name);
}

// Row by row: where in the file is row `row` of our c_attn? order: the places of q, k and v among the parts of a head.
Values c_attn(const Tensor& kqv, const Sizes& sizes, const std::array<int64_t, 3>& order,
              bool by_head = true) {
  const Values from = doubles(kqv);
  const int64_t C = sizes.C(), hs = sizes.head_size, cols = kqv.numel() / (3 * C);
  Values to;
  for (int64_t row = 0; row < 3 * C; ++row) {
    const int64_t part = order[size_t(row / C)], head = row % C / hs, i = row % hs;
    const int64_t there = by_head ? 3 * hs * head + hs * part + i : part * C + row % C;
    for (int64_t col = 0; col < cols; ++col) to.push_back(from[size_t(there * cols + col)]);
  }
  return to;
}

void check_c_attn(const Tensor& ours, const Tensor& theirs, const Sizes& sizes, const std::string& name) {
  const Values right = c_attn(theirs, sizes, {1, 0, 2});
  if (doubles(ours) == right) return;
  CHECK(doubles(ours) != c_attn(theirs, sizes, {0, 1, 2}, false),
        "{} is as in the file: there the parts of head 0 come first, then those of head 1", name);
  CHECK(doubles(ours) != c_attn(theirs, sizes, {0, 1, 2}),
        "{} has keys where queries belong: in the file a head has k, q, v", name);
  CHECK(doubles(ours) != c_attn(theirs, sizes, {1, 0, 2}, false),
        "{} has the first two thirds of the file swapped: but its rows are sorted by head, not in thirds",
        name);
  CHECK_EQUAL(ours, right, "{} has wrong values", name);
}

// ---- the foreign program, in double, position by position

// y = b + the product of x (n) with w, which is (in, out) or (out, in).
Values linear(const Tensors& file, const std::string& name, const Values& x, bool in_first) {
  const Values w = doubles(file.at(name + ".weight"));
  Values y = doubles(file.at(name + ".bias"));
  for (size_t out = 0; out < y.size(); ++out) {
    for (size_t in = 0; in < x.size(); ++in)
      y[out] += x[in] * w[in_first ? in * y.size() + out : out * x.size() + in];
  }
  return y;
}

Values norm(const Tensors& file, const std::string& name, const Values& x) {
  return oracle::layer_norm(x, doubles(file.at(name + ".gain")), doubles(file.at(name + ".shift")), 1e-5).y;
}

Values part_of(const Values& kqv, int64_t head, int64_t part, int64_t hs) {
  const auto begin = kqv.begin() + (3 * head + part) * hs;
  return {begin, begin + hs};
}

// What the heads give at the last position, for the kqv of all positions.
Values attention(const std::vector<Values>& kqv, const Sizes& sizes) {
  Values y;
  for (int64_t head = 0; head < sizes.n_head; ++head) {
    const Values q = part_of(kqv.back(), head, 1, sizes.head_size);
    Values scores, sum(q.size());
    for (const Values& each : kqv)
      scores.push_back(gpt2::testing::dot(q, part_of(each, head, 0, sizes.head_size)) /
                       std::sqrt(double(q.size())));
    const Values weights = oracle::softmax(scores, int64_t(scores.size()));
    for (size_t t = 0; t < kqv.size(); ++t) {
      const Values v = part_of(kqv[t], head, 2, sizes.head_size);
      for (size_t i = 0; i < v.size(); ++i) sum[i] += weights[t] * v[i];
    }
    y.insert(y.end(), sum.begin(), sum.end());
  }
  return y;
}

void add_to(Values& x, const Values& y) {
  for (size_t i = 0; i < x.size(); ++i) x[i] += y[i];
}

Values foreign_logits(const Tensors& file, const Sizes& sizes, const Ids& ids) {
  const Values tokens = doubles(file.at("embed.tokens")), positions = doubles(file.at("embed.positions"));
  const size_t C = size_t(sizes.C());
  std::vector<std::vector<Values>> kqv(static_cast<size_t>(sizes.n_layer));  // of each layer and position
  Values logits;
  for (size_t t = 0; t < ids.size(); ++t) {
    Values x(tokens.begin() + long(size_t(ids[t]) * C), tokens.begin() + long((size_t(ids[t]) + 1) * C));
    add_to(x, {positions.begin() + long(t * C), positions.begin() + long((t + 1) * C)});
    for (int64_t layer = 0; layer < sizes.n_layer; ++layer) {
      const std::string block = fmt::format("layers.{}.", layer);
      auto& seen = kqv[size_t(layer)];
      seen.push_back(linear(file, block + "attention.kqv", norm(file, block + "norm1", x), false));
      add_to(x, linear(file, block + "attention.out", attention(seen, sizes), true));
      const Values up = linear(file, block + "mlp.up", norm(file, block + "norm2", x), true);
      add_to(x, linear(file, block + "mlp.down", oracle::gelu(up), false));
    }
    const Values last = norm(file, "final_norm", x);
    for (int64_t id = 0; id < sizes.V; ++id)
      logits.push_back(gpt2::testing::dot(
          last, {tokens.begin() + long(size_t(id) * C), tokens.begin() + long((size_t(id) + 1) * C)}));
  }
  return logits;
}

}  // namespace

CASE("names and shapes") {
  const Sizes sizes{2, 3, 4, draw.integer(20, 30), 9};
  const int64_t C = sizes.C();
  const Tensors file = foreign_file(draw, sizes);
  const Named all = STUDENT(converted(file, sizes.n_head));
  CHECK(all.first.size() == file.size() + 1, "{} tensors, expected {}: those of the file, and lm_head.weight",
        all.first.size(), file.size() + 1);
  const std::vector<std::pair<std::string, Shape>> expected{
      {"transformer.wte.weight", {sizes.V, C}},           {"lm_head.weight", {sizes.V, C}},
      {"transformer.h.1.attn.c_attn.weight", {3 * C, C}}, {"transformer.h.0.attn.c_attn.bias", {3 * C}},
      {"transformer.h.0.mlp.c_fc.weight", {4 * C, C}},    {"transformer.h.1.mlp.c_proj.weight", {C, 4 * C}}};
  for (const auto& [name, shape] : expected) {
    const Shape got = find(all, name).shape();
    CHECK(got == shape, "{} is {}, expected {}", name, to_string(got), to_string(shape));
  }
}

CASE("matrices") {
  const Sizes sizes{2, 3, draw.integer(3, 5), 20, 9};
  const Tensors file = foreign_file(draw, sizes);
  const Named all = STUDENT(converted(file, sizes.n_head));
  for (int64_t layer = 0; layer < sizes.n_layer; ++layer) {
    const std::string there = fmt::format("layers.{}.", layer),
                      here = fmt::format("transformer.h.{}.", layer);
    const Tensor out = file.at(there + "attention.out.weight");
    CHECK(doubles(find(all, here + "attn.c_proj.weight")) != doubles(out),
          "attn.c_proj.weight is attention.out.weight as it stands. It is square, so its shape fits either "
          "way; but the "
          "foreign program has x @ weight, and our linear layer has x @ weight.T");
    check_same(all, here + "attn.c_proj.weight", transposed(out));
    check_same(all, here + "mlp.c_fc.weight", transposed(file.at(there + "mlp.up.weight")));
    check_same(all, here + "mlp.c_proj.weight", doubles(file.at(there + "mlp.down.weight")));
    check_same(all, here + "mlp.c_fc.bias", doubles(file.at(there + "mlp.up.bias")));
    check_same(all, here + "ln_2.weight", doubles(file.at(there + "norm2.gain")));
    check_same(all, here + "ln_1.bias", doubles(file.at(there + "norm1.shift")));
  }
  check_same(all, "transformer.ln_f.weight", doubles(file.at("final_norm.gain")));
  check_same(all, "transformer.wpe.weight", doubles(file.at("embed.positions")));
  check_same(all, "lm_head.weight", doubles(file.at("embed.tokens")));
}

CASE("queries, keys and values") {
  for (const int64_t n_head : {int64_t{3}, int64_t{1}, draw.integer(2, 5)}) {
    const Sizes sizes{2, n_head, draw.integer(2, 5), 20, 9};
    WITH("{} heads of {} channels", n_head, sizes.head_size);
    const Tensors file = foreign_file(draw, sizes);
    const Named all = STUDENT(converted(file, n_head));
    for (const std::string layer : {"0", "1"}) {
      for (const std::string kind : {"weight", "bias"}) {
        const std::string name = "h." + layer + ".attn.c_attn." + kind;
        check_c_attn(find(all, "transformer." + name), file.at("layers." + layer + ".attention.kqv." + kind),
                     sizes, name);
      }
    }
  }
}

CASE("logits") {
  for (const Sizes& sizes :
       {Sizes{2, 3, 5, draw.integer(20, 40), 9}, Sizes{1, 2, 8, 33, draw.integer(4, 12)}}) {
    WITH("{} layers, {} heads of {} channels", sizes.n_layer, sizes.n_head, sizes.head_size);
    const Tensors file = foreign_file(draw, sizes);
    const Ids ids = draw.ids(sizes.T, sizes.V);
    const auto logits = STUDENT(logits_of(from_foreign(file, sizes.n_head), sizes.n_head, ids));
    CHECK_CLOSE(logits, foreign_logits(file, sizes, ids), 1e-5,
                "our model with these weights does not give the logits of the foreign program");
  }
}
