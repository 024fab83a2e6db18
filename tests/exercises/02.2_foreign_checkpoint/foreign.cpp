// Exercise 02.2: the weights of another program for our model.
#include "foreign.h"

#include <utility>

#include "tests/exercises/todo.h"

using namespace gpt2;

namespace {

// "layers.3.mlp.up.bias" -> "transformer.h.3.mlp.c_fc.bias"
std::string our_name(std::string name) {
  const std::vector<std::pair<std::string, std::string>> parts{{"embed.tokens", "wte.weight"},
                                                               {"embed.positions", "wpe.weight"},
                                                               {"layers.", "h."},
                                                               {"final_norm", "ln_f"},
                                                               {"norm1", "ln_1"},
                                                               {"norm2", "ln_2"},
                                                               {"attention.kqv", "attn.c_attn"},
                                                               {"attention.out", "attn.c_proj"},
                                                               {"mlp.up", "mlp.c_fc"},
                                                               {"mlp.down", "mlp.c_proj"},
                                                               {"gain", "weight"},
                                                               {"shift", "bias"}};
  for (const auto& part : parts) {
    const size_t at = name.find(part.first);
    if (at != name.npos) name.replace(at, part.first.size(), part.second);
  }
  return "transformer." + name;
}

// The rows of kqv (3C, C), or the values of its bias (3C), in the order of our c_attn.
Tensor in_our_order(const Tensor& kqv, int64_t n_head) {
  const std::vector<float> from = kqv.to_vector<float>();
  std::vector<float> to;
  //@solution 02.2 heads
  const int64_t block = kqv.numel() / (3 * n_head);  // the keys, the queries or the values of one head
  for (const int64_t part : {1, 0, 2}) {             // the file has k, q, v
    for (int64_t head = 0; head < n_head; ++head) {
      const auto begin = from.begin() + (3 * head + part) * block;
      to.insert(to.end(), begin, begin + block);
    }
  }
  //@stub
  //| // TODO(02.2): append the rows of `from` to `to` in our order.
  //| COURSE_TODO("02.2");
  //@end
  return from_vector(to, kqv.shape());
}

}  // namespace

Tensors from_foreign(const Tensors& file, int64_t n_head) {
  Tensors model;
  //@solution 02.2 tensors
  for (const auto& [name, tensor] : file) {
    const bool is_kqv = name.find("attention.kqv") != name.npos;
    const bool is_transposed = name.ends_with("attention.out.weight") || name.ends_with("mlp.up.weight");
    model[our_name(name)] = is_kqv          ? in_our_order(tensor, n_head)
                            : is_transposed ? tensor.transpose(0, 1).contiguous()
                                            : tensor;
  }
  model["lm_head.weight"] = model.at("transformer.wte.weight");
  //@stub
  //| // TODO(02.2): model[our_name(name)] = ... for each tensor of the file, and "lm_head.weight".
  //| COURSE_TODO("02.2");
  //@end
  return model;
}
