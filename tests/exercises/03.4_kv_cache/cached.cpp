// Exercise 03.4: generation that computes each position once.
#include "gpt2.h"

#include <cmath>

#include "common/tensor/rows.h"
#include "common/text/sampling.h"
#include "tests/exercises/todo.h"

Tensor CausalSelfAttention::operator()(const Tensor& x, Slot& slot) {
  const auto [B, T, C] = x.sizes<3>();
  const int64_t nh = config.n_head, hs = C / nh;
  auto [q, k, v] = split<3>(c_attn(x), /*dim=*/2);  // each (B, T, C)
  q = q.view({B, T, nh, hs}).transpose(1, 2);       // (B, nh, T, hs)
  k = k.view({B, T, nh, hs}).transpose(1, 2);       // (B, nh, T, hs)
  v = v.view({B, T, nh, hs}).transpose(1, 2);       // (B, nh, T, hs)
  //@solution 03.4 attention
  slot.k = joined(slot.k, k);  // (B, nh, P + T, hs)
  slot.v = joined(slot.v, v);
  Tensor att = matmul(q, slot.k.transpose(-2, -1)) / std::sqrt(double(hs));  // (B, nh, T, P + T)
  if (T > 1) att = causal_mask(att);        // P is 0; a single query comes after all keys and sees them all
  Tensor y = matmul(softmax(att), slot.v);  // (B, nh, T, hs)
  //@stub
  //| // TODO(03.4): step 03 has here:
  //| //   Tensor att = matmul(q, k.transpose(-2, -1)) / std::sqrt(double(hs));  // (B, nh, T, T)
  //| //   Tensor y = matmul(softmax(causal_mask(att)), v);                      // (B, nh, T, hs)
  //| Tensor y = COURSE_TODO("03.4");
  //@end
  y = y.transpose(1, 2).contiguous().view({B, T, C});
  return c_proj(y);
}

Tensor GPT::operator()(const Tensor& idx, Cache& cache) {
  const auto [B, T] = idx.sizes<2>();
  //@solution 03.4 positions
  const int64_t P = cache.front().k.defined() ? cache.front().k.size(2) : 0;  // positions in the cache
  const Tensor pos = arange(P + T, idx.device()).slice(0, P, T);              // P ... P + T - 1
  //@stub
  //| // TODO(03.4): step 03 has: pos = arange(T, idx.device())
  //| const Tensor pos = COURSE_TODO("03.4");
  //@end
  Tensor x = transformer.wte(idx) + transformer.wpe(pos);  // (B, T, C)
  for (int64_t layer = 0; layer < config.n_layer; ++layer) x = transformer.h[layer](x, cache[size_t(layer)]);
  const Tensor last_row = x.slice(1, T - 1, 1).contiguous().view({B, config.n_embd});
  return lm_head(transformer.ln_f(last_row));  // (B, vocab_size)
}

Tensor generate(GPT& model, Tensor x, int64_t count, Generator& generator) {
  const NoGrad no_grad;
  Cache cache(size_t(model.config.n_layer));
  for (int64_t i = 0; i < count; ++i) {
    //@solution 03.4 loop
    const int64_t T = x.size(1), block_size = model.config.block_size;
    // Beyond the block size the window moves on: each id has another position than before, so nothing can be
    // kept.
    if (T > block_size) cache.assign(cache.size(), {});
    const bool empty = !cache.front().k.defined();
    const Tensor logits = model(last(x, empty ? block_size : 1), cache);  // (B, vocab_size)
    //@stub
    //| // TODO(03.4): which ids must the model see? Step 03 gives it last(x, block_size), all of them again.
    //| const Tensor logits = COURSE_TODO("03.4");
    //@end
    const auto [topk_probs, topk_indices] = topk(softmax(logits), 50);
    x = cat(x, gather(topk_indices, multinomial(topk_probs, generator)));
  }
  return x;
}
