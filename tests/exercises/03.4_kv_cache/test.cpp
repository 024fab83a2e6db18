#include "gpt2.h"

#include "common/tensor/rows.h"
#include "common/text/sampling.h"
#include "tests/exercises/tensors.h"

namespace {

// The logits of the last position, (B, V), from all positions, without a cache. If `from` is above 0, the ids
// from there on have position 0: a mistake.
Tensor uncached(GPT& model, const Tensor& idx, int64_t from = 0) {
  const auto [B, T] = idx.sizes<2>();
  const int64_t C = model.config.n_embd, nh = model.config.n_head;
  std::vector<int32_t> positions;
  for (int64_t t = 0; t < T; ++t) positions.push_back(int32_t(from > 0 && t >= from ? 0 : t));
  Tensor x = model.transformer.wte(idx) + model.transformer.wpe(from_vector(positions, {T}));
  for (Block& block : model.transformer.h) {
    auto parts = split<3>(block.attn.c_attn(block.ln_1(x)), 2);
    for (Tensor& part : parts) part = part.view({B, T, nh, C / nh}).transpose(1, 2);  // (B, nh, T, C / nh)
    const Tensor att =
        causal_softmax(matmul(parts[0], parts[1].transpose(-2, -1)), 1 / std::sqrt(double(C / nh)));
    x = x + block.attn.c_proj(matmul(att, parts[2]).transpose(1, 2).contiguous().view({B, T, C}));
    x = x + block.mlp(block.ln_2(x));
  }
  const Tensor logits = model.lm_head(model.transformer.ln_f(x));
  return logits.slice(1, T - 1, 1).contiguous().view({B, model.config.vocab_size});
}

Tensor generated_uncached(GPT& model, Tensor x, int64_t count, uint64_t seed) {
  const NoGrad no_grad;
  Generator generator(seed);
  for (int64_t i = 0; i < count; ++i) {
    const TopK top = topk(softmax(uncached(model, last(x, model.config.block_size))), 50);
    x = cat(x, gather(top.indices, multinomial(top.values, generator)));
  }
  return x;
}

// A model with weights from a seed, and ids to begin with.
struct Given {
  GPT model;
  Tensor x;
  uint64_t seed;

  Given(Draw& draw, const GPTConfig& config, int64_t B, int64_t T)
      : model((nn::manual_seed(uint64_t(draw.integer(1, 10000))), config)),
        x(from_vector(draw.ids(B * T, config.vocab_size), {B, T})),
        seed(uint64_t(draw.integer(1, 10000))) {
    model.to(kCpu);
  }
};

// The ids in columns begin ... end - 1.
Tensor columns(const Tensor& ids, int64_t begin, int64_t end) {
  std::vector<int32_t> values;
  for (int64_t b = 0; b < ids.size(0); ++b) {
    const auto all = row(ids, b);
    values.insert(values.end(), all.begin() + begin, all.begin() + end);
  }
  return from_vector(values, {ids.size(0), end - begin});
}

// The first `prompt` ids at once, then one at a time: the logits after each call.
std::vector<Tensor> step_by_step(Given& given, int64_t prompt) {
  const NoGrad no_grad;
  Cache cache(size_t(given.model.config.n_layer));
  std::vector<Tensor> logits{given.model(columns(given.x, 0, prompt), cache)};
  for (int64_t t = prompt; t < given.x.size(1); ++t)
    logits.push_back(given.model(columns(given.x, t, t + 1), cache));
  return logits;
}

Tensor generated(Given& given, int64_t count) {
  Generator generator(given.seed);
  return generate(given.model, given.x, count, generator);
}

// The positions (times rows) that the model computed in `work`. For each of them and each layer, gelu reads
// and writes 4 C floats.
template <class Work>
int64_t positions_in(const GPTConfig& config, const Work& work) {
  context().counts.reset();
  work();
  return context().counts.by_kernel().at("gelu_forward").bytes / (2 * 4 * 4 * config.n_embd * config.n_layer);
}

void check_ids(const Tensor& ids, const Tensor& right, int64_t prompt) {
  CHECK(ids.shape() == right.shape(), "the ids are {}, expected {}", to_string(ids.shape()),
        to_string(right.shape()));
  const Values got = doubles(ids), expected = doubles(right);
  const int64_t T = right.size(1);
  for (int64_t t = prompt; t < T; ++t) {
    for (int64_t b = 0; b < right.size(0); ++b)
      CHECK(got[size_t(b * T + t)] == expected[size_t(b * T + t)],
            "row {}: id {} is {}, and without a cache it is {}; those before are right", b, t,
            got[size_t(b * T + t)], expected[size_t(b * T + t)]);
  }
}

}  // namespace

CASE("one position at a time") {
  for (const int64_t prompt : {int64_t{1}, draw.integer(2, 9)}) {
    const GPTConfig config{32, draw.integer(60, 90), 2, 3, 24};
    Given given(draw, config, 2, 20);
    WITH("{} ids at once, then one at a time", prompt);
    const auto logits = STUDENT(step_by_step(given, prompt));
    CHECK(logits.size() == size_t(21 - prompt), "the logits are incomplete");
    for (int64_t t = prompt; t <= 20; ++t) {
      const NoGrad no_grad;
      const Tensor seen = columns(given.x, 0, t);
      const Tensor& got = logits[size_t(t - prompt)];
      CHECK(t == prompt || !close(got, doubles(uncached(given.model, seen, prompt)), 1e-4),
            "id {} got the position 0, since it came alone: its position is the number of those in the cache",
            t - 1);
      CHECK_CLOSE(got, doubles(uncached(given.model, seen)), 1e-4,
                  "the logits after {} ids differ from those of a model without a cache", t);
    }
  }
}

CASE("forty ids") {
  const GPTConfig config{64, draw.integer(60, 90), 2, 3, 24};
  const int64_t prompt = draw.integer(1, 9);
  Given given(draw, config, draw.integer(1, 3), prompt);
  WITH("prompt of {} ids, block size 64", prompt);
  const auto ids = STUDENT(generated(given, 40));
  check_ids(ids, generated_uncached(given.model, given.x, 40, given.seed), prompt);
}

CASE("positions computed") {
  const GPTConfig config{64, draw.integer(60, 90), 2, 3, 24};
  const int64_t prompt = draw.integer(3, 9), B = 2;
  Given given(draw, config, B, prompt);
  WITH("prompt of {} ids, 40 more", prompt);
  const auto positions = STUDENT(positions_in(config, [&] { generated(given, 40); }));
  const int64_t best = B * (prompt + 39);  // the last id is drawn and not read
  CHECK(positions >= best, "the model computed {} positions in {} rows: fewer than there are", positions, B);
  CHECK(positions <= best,
        "the model computed {} positions in {} rows, {} are enough: after the prompt give it the newest id "
        "alone",
        positions, B, best);
}

CASE("across the block size") {
  const GPTConfig config{16, draw.integer(60, 90), 2, 3, 24};
  const int64_t prompt = draw.integer(3, 9);
  Given given(draw, config, 2, prompt);
  WITH("prompt of {} ids, block size 16", prompt);
  const auto result = STUDENT(generated(given, 40));
  check_ids(result, generated_uncached(given.model, given.x, 40, given.seed), prompt);
  Given longer(draw, config, 2, 20);
  WITH("prompt of 20 ids, block size 16");
  const auto ids = STUDENT(generated(longer, 5));
  check_ids(ids, generated_uncached(longer.model, longer.x, 5, longer.seed), 20);
  Given again(draw, config, 1, 4);
  WITH("prompt of 4 ids, 40 more, block size 16");
  const auto positions = STUDENT(positions_in(config, [&] { generated(again, 40); }));
  CHECK(positions <= 16 + 27 * 16,
        "the model computed {} positions, {} are enough: 16 until the window is full, then 16 for each of 27 "
        "ids",
        positions, 16 + 27 * 16);
}
