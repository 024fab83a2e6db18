// All that the program includes comes first: the rest of it then gets a namespace of its own.
#include <fmt/core.h>

#include <cmath>
#include <numbers>
#include <tuple>

#include "common/app/inputs.h"
#include "common/app/log.h"
#include "common/app/memory_check.h"
#include "common/app/resolve.h"
#include "common/app/stopwatch.h"
#include "common/data/token_loader.h"
#include "common/dist/ddp.h"
#include "common/nn/hf_config.h"
#include "common/nn/layers.h"
#include "common/nn/pretrained.h"
#include "common/ops/autocast.h"
#include "common/optim/adamw.h"
#include "common/training/ranks_agree.h"
#include "tests/executor/orders.h"

namespace step12 {
#define GPT2_STEP "12_ddp"
#define main program
#include "steps/12_ddp/train_gpt2.cpp"
#undef main

namespace {

class Training12 : public orders::Training {
 public:
  Training12(const dist::ProcessGroup& group, const orders::Flags& flags)
      : group_(group), options_(orders::parse<Options>(flags)), inputs_(open_inputs(options_, group)) {
    orders::make_small(inputs_.config);
  }

  orders::Result run() override {
    inputs_.loader.reset();
    nn::manual_seed(options_.seed);
    GPT model(inputs_.config);
    model.to(group_.device());
    app::Log log(group_.is_master() ? options_.log : "");
    train(model, inputs_.loader, inputs_.grad_accum_steps, options_, group_, log);
    return orders::result_of(options_.log, model);
  }

 private:
  const dist::ProcessGroup& group_;
  Options options_;
  Inputs inputs_;
};

}  // namespace
}  // namespace step12

std::unique_ptr<orders::Training> orders::train_12(const gpt2::dist::ProcessGroup& group,
                                                   const Flags& flags) {
  return std::make_unique<step12::Training12>(group, flags);
}
