// Counts the kernel calls and the bytes of a training step of GPT-2 124M in bf16, as --count does, for steps 06 to 09 and 15 at
// small batches, and prints lines of JSON. tests/gpu/predict computes those of any batch from them: every count is a
// sum of terms in 1, T, B T and B T T.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <exception>
#include <string>
#include <tuple>
#include <utility>

#include "common/nn/hf_config.h"
#include "common/nn/layers.h"
#include "common/nn/pretrained.h"
#include "common/ops/autocast.h"
#include "common/ops/dropout.h"
#include "common/optim/adamw.h"

// Each step's header defines GPT.
namespace step06 {
#include "steps/06_bf16/gpt2.h"
}
namespace step07 {
#include "steps/07_fusion/gpt2.h"
}
namespace step08 {
#include "steps/08_flash_attention/gpt2.h"
}
namespace step09 {
#include "steps/09_vocab/gpt2.h"
}
namespace step15 {
#include "steps/15_bf16_weights/gpt2.h"
}

namespace {

using namespace gpt2;

void train_step(auto& model, optim::AdamW& optimizer, const Tensor& x) {
  const Autocast autocast(DType::bf16);
  optimizer.zero_grad();
  const auto [logits, loss] = model(x, x);
  loss.backward();
  optimizer.clip_grad_norm(1);  // since 10_adamw
  optimizer.step();
}

template <class GPT>
void count(const char* step, const auto& config, DType weights = DType::f32) {
  GPT model(config);
  model.to(kCpu, weights);
  optim::AdamW optimizer(model, {});
  for (const int64_t T : {32, 64}) {
    for (const int64_t B : {1, 2}) {
      const Tensor x = empty({B, T}, kCpu, DType::i32);
      std::fill_n(x.data<int32_t>(), x.numel(), 0);
      context().counts.reset();
      train_step(model, optimizer, x);
      std::string kernels;
      for (const auto& [kernel, count] : context().counts.by_kernel()) {
        kernels +=
            fmt::format("{}\"{}\": [{}, {}]", kernels.empty() ? "" : ", ", kernel, count.calls, count.bytes);
      }
      fmt::print("{{\"step\": \"{}\", \"batch\": {}, \"seq\": {}, \"kernels\": {{{}}}}}\n", step, B, T,
                 kernels);
    }
  }
}

}  // namespace

int main() {
  try {
    count<step06::GPT>("06_bf16", step06::config_named("gpt2", 50257));
    count<step07::GPT>("07_fusion", step07::config_named("gpt2", 50257));
    count<step08::GPT>("08_flash_attention", step08::config_named("gpt2", 50257));
    count<step09::GPT>("09_vocab", step09::config_named("gpt2", 50257));
    count<step15::GPT>("15_bf16_weights", step15::config_named("gpt2", 50257), DType::bf16);
  } catch (const std::exception& error) {
    return fmt::print(stderr, "step_counts: {}\n", error.what()), 1;
  }
}
