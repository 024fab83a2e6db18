// Choosing the next token from a model's probabilities, with torch's functions and torch's random numbers.
//
// These functions run on the CPU and return CPU tensors: a row of probabilities is small, and the same seed
// gives the same ids on every device.
//
// since 03_sampling
#pragma once

#include "common/tensor/random.h"
#include "common/tensor/tensor.h"
#include "common/text/tokenizer.h"

namespace gpt2 {

// Returns the number of ids that may be sampled from a model with `vocab_size` rows: those that the tokenizer
// can decode. A model may have more rows than its tokenizer has ids (50304 for GPT-2's 50257), or fewer if
// the tokenizer has added tokens.
int64_t num_drawable_ids(const Tokenizer& tokenizer, int64_t vocab_size);

// Returns the k largest values of each row of x (B, V), largest first, and their columns: two tensors (B,
// min(k, V)). Equal values are ordered by column. NaN counts as the largest value, as in torch.
struct TopK {
  Tensor values;
  Tensor indices;  // int32
};
TopK topk(const Tensor& x, int64_t k);

// Draws one column for each row of p (B, K), with probability proportional to p -> (B, 1) int32. As
// torch.multinomial(p, 1) it takes the argmax of p / q, where q is exponentially distributed. Throws, as
// torch does, if a probability is infinite, NaN or negative, or if all probabilities of a row are 0.
Tensor multinomial(const Tensor& p, Generator& generator);

}  // namespace gpt2
