// All that the program includes comes first: the rest of it then gets a namespace of its own.
#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <optional>
#include <span>
#include <tuple>

#include "common/app/inputs.h"
#include "common/app/interrupt.h"
#include "common/app/log.h"
#include "common/app/memory_check.h"
#include "common/app/resolve.h"
#include "common/app/step_graphs.h"
#include "common/app/stopwatch.h"
#include "common/dist/ddp.h"
#include "common/nn/hf_config.h"
#include "common/nn/layers.h"
#include "common/nn/pretrained.h"
#include "common/ops/autocast.h"
#include "common/ops/dropout.h"
#include "common/optim/adamw.h"
#include "common/tensor/rows.h"
#include "common/text/sampling.h"
#include "common/text/utf8.h"
#include "common/training/dataset.h"
#include "common/training/ranks_agree.h"
#include "common/training/run_folder.h"
#include "tests/executor/orders.h"

namespace step14 {
#define GPT2_STEP "14_cuda_graph"
#define main program
#include "steps/14_cuda_graph/train_gpt2.cpp"
#undef main

namespace {

class Training14 : public orders::Training {
 public:
  Training14(const dist::ProcessGroup& group, const orders::Flags& flags)
      : group_(group), options_(orders::parse<Options>(flags)), inputs_(open_inputs(options_, group)) {
    orders::make_small(inputs_.config);
  }

  orders::Result run() override {
    inputs_.loader.reset();
    nn::manual_seed(options_.seed);
    GPT model(inputs_.config);
    model.to(group_.device());
    optim::AdamW optimizer = configure_optimizers(model, options_);
    const DType dtype = app::autocast_dtype(options_.dtype, group_.device());
    const Attention attention(app::attention_kernels(options_, group_.device(), dtype));
    const Precision precision(options_.matmul_precision);
    const training::RunFolder folder(options_.run, options_.steps, group_);
    Evaluation evaluate{.options = options_.run,
                        .tokenizer = *inputs_.tokenizer,
                        .group = group_,
                        .val_loader = std::nullopt,
                        .val_loss_steps = 0,
                        .hellaswag = std::nullopt,
                        .batch_tokens = 0,
                        .dtype = dtype};
    app::Log log = folder.open_log(options_.log);
    train(model, optimizer, inputs_.loader, inputs_.grad_accum_steps, options_, group_, evaluate, folder,
          log);
    return orders::result_of(options_.log, model);
  }

 private:
  const dist::ProcessGroup& group_;
  Options options_;
  Inputs inputs_;
};

}  // namespace
}  // namespace step14

std::unique_ptr<orders::Training> orders::train_14(const gpt2::dist::ProcessGroup& group,
                                                   const Flags& flags) {
  return std::make_unique<step14::Training14>(group, flags);
}
