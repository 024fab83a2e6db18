// Made logs.json: six faulty runs with two seeds each. To make it again, name this file as the "program" of
// an exercise, run it, and redirect its output.
#include <fmt/core.h>

#include <cstdio>
#include <numbers>

#include "common/app/program.h"
#include "common/nn/layers.h"
#include "common/optim/adamw.h"
#include "common/tales/tales.h"
#include "common/text/sampling.h"
#include "tests/exercises/exercise.h"

using namespace gpt2;

namespace {

constexpr int64_t kBatch = 8, kContext = 64, kVocab = 128, kWidth = 64, kLayers = 2, kHeads = 4, kSteps = 700;

// What can be wrong, with the values of a healthy run.
struct Fault {
  bool zero_grad = true, own_val = true, shifted = true;
  double max_lr = 3e-3, std = 0.02;
};

struct Block : nn::Module {
  nn::LayerNorm ln_1{this, "ln_1", kWidth};
  nn::Linear qkv{this, "qkv", kWidth, 3 * kWidth}, proj{this, "proj", kWidth, kWidth};
  nn::LayerNorm ln_2{this, "ln_2", kWidth};
  nn::Linear fc{this, "fc", kWidth, 4 * kWidth}, out{this, "out", 4 * kWidth, kWidth};

  Block(nn::Module* parent, std::string name) : nn::Module(parent, std::move(name)) {}

  Tensor attention(const Tensor& x) const {
    const auto [B, T, C] = x.sizes<3>();
    const auto heads = [&, B = B, T = T, C = C](const Tensor& part) {
      return part.view({B, T, kHeads, C / kHeads}).transpose(1, 2);
    };
    const auto [q, k, v] = split<3>(qkv(x), 2);
    const Tensor att = matmul(heads(q), heads(k).transpose(-2, -1)) / std::sqrt(double(kWidth / kHeads));
    const Tensor y = matmul(softmax(causal_mask(att)), heads(v));
    return proj(y.transpose(1, 2).contiguous().view({B, T, C}));
  }

  Tensor operator()(Tensor x) const {
    x = x + attention(ln_1(x));
    return x + out(gelu(fc(ln_2(x))));
  }
};

struct Model : nn::Module {
  nn::Embedding wte{this, "wte", kVocab, kWidth}, wpe{this, "wpe", kContext, kWidth};
  nn::ModuleList<Block> h;
  nn::LayerNorm ln_f{this, "ln_f", kWidth};
  nn::Linear lm_head{this, "lm_head", kWidth, kVocab, nn::Linear::Bias::no};

  explicit Model(const Fault& fault) : h(this, "h", kLayers) {
    wte.weight = lm_head.weight;
    for (const auto& [name, p] : named_parameters())
      if (p->dim() == 2) nn::init::normal_(*p, 0, fault.std);
  }

  Tensor operator()(const Tensor& ids) {
    Tensor x = wte(ids) + wpe(arange(ids.size(1), kCpu));
    for (Block& block : h) x = block(x);
    return lm_head(ln_f(x));
  }
};

using Ids = std::vector<int32_t>;

Ids ids_of(const std::string& text) { return {text.begin(), text.end()}; }

struct Batch {
  Tensor x, y;
};

Batch random_batch(const Ids& text, int64_t B, exercise::Draw& draw, bool shifted) {
  Ids x, y;
  for (int64_t i = 0; i < B; ++i) {
    const auto begin = text.begin() + draw.integer(0, int64_t(text.size()) - kContext - 1);
    const auto targets = begin + (shifted ? 1 : 0);
    x.insert(x.end(), begin, begin + kContext), y.insert(y.end(), targets, targets + kContext);
  }
  return {from_vector(x, {B, kContext}), from_vector(y, {B, kContext})};
}

// What the model writes after "Once upon", id by id.
std::string sample(Model& model, uint64_t seed) {
  const NoGrad no_grad;
  Generator generator(seed);
  Ids ids = ids_of("Once upon ");
  while (ids.size() < 60) {
    const Tensor logits = model(from_vector(ids, {1, int64_t(ids.size())}));
    const Tensor last = logits.slice(1, logits.size(1) - 1, 1).contiguous().view({1, kVocab});
    ids.push_back(multinomial(softmax(last * 1.25), generator).to_vector<int32_t>()[0]);
  }
  for (int32_t& id : ids) id = id < 32 || id > 126 ? '_' : id;
  return {ids.begin(), ids.end()};
}

std::vector<std::string> run(const Fault& fault, uint64_t seed) {
  const Ids text = ids_of(tales(fault.own_val ? 400'000 : 2'000, seed));
  const Ids val_text = fault.own_val ? ids_of(tales(100'000, seed + 1)) : text;
  exercise::Draw draw(seed, "batches"), val_draw(seed, "validation");
  const Batch val = random_batch(val_text, 32, val_draw, fault.shifted);
  nn::manual_seed(seed);
  Model model(fault);
  model.to(kCpu);
  optim::AdamW optimizer(model, {.beta2 = 0.95, .weight_decay = 0.1});
  std::vector<std::string> lines;
  for (int64_t step = 0; step <= kSteps; ++step) {
    const auto [x, y] = random_batch(text, kBatch, draw, fault.shifted);
    if (fault.zero_grad || step == 0) optimizer.zero_grad();
    const Tensor loss = cross_entropy(model(x), y);
    loss.backward();
    const Tensor norm = optimizer.clip_grad_norm(1);
    const bool shown = step <= 10 ? step % 5 == 0 : step <= 50 ? step % 25 == 0 : step % 100 == 0;
    if (shown) {
      const NoGrad no_grad;
      lines.push_back(fmt::format("step {:3} | loss {:7.4f} | norm {:8.3f} | val {:7.4f}", step, loss.item(),
                                  norm.item(), cross_entropy(model(val.x), val.y).item()));
    }
    const double cosine = 0.5 * (1 + std::cos(std::numbers::pi * double(step) / kSteps));
    optimizer.set_lr(fault.max_lr * std::min(1.0, double(step + 1) / 20) * (0.1 + 0.9 * cosine));
    optimizer.step();
  }
  lines.push_back("sample: " + sample(model, seed));
  return lines;
}

std::string quoted(const std::string& text) {
  std::string result = "\"";
  for (const char c : text) result += c == '"' || c == '\\' ? std::string("\\") + c : std::string(1, c);
  return result + "\"";
}

void print_all(app::CommandLine& flags) {
  flags.parse();
  const std::vector<std::pair<std::string, Fault>> faults{
      {"a", {.zero_grad = false}}, {"b", {.max_lr = 3e-5}},   {"c", {.max_lr = 0.3}},
      {"d", {.own_val = false}},   {"e", {.shifted = false}}, {"f", {.std = 0.5}}};
  fmt::print("{{\n");
  for (const auto& [key, fault] : faults) {
    fmt::print("  \"{}\": [\n", key);
    for (uint64_t seed = 1; seed <= 2; ++seed) {
      const std::vector<std::string> lines = run(fault, 10 * seed);
      for (size_t i = 0; i < lines.size(); ++i)
        fmt::print("    {}{}{}\n", i == 0 ? "[" : " ", quoted(lines[i]),
                   i + 1 < lines.size() ? ","
                   : seed < 2           ? "],"
                                        : "]");
    }
    fmt::print("  ]{}\n", key == "f" ? "" : ",");
    std::fflush(stdout);
  }
  fmt::print("}}\n");
}

}  // namespace

int main(int argc, char** argv) { return app::run("make_logs", argc, argv, print_all); }
