// A whole training step of each chapter from 04 on, on the GPU (or the executor) and on the CPU: the same losses,
// gradients, norms, and updates of the weights. As the chapters add them: bf16 (06), clipping and decay groups (10),
// micro-batches (11), dropout (13), CUDA graphs (14), bf16 weights (15), activations computed again (16). Ranks are in orders_test.cpp.
#include "common/app/step_graphs.h"
#include "common/ops/dropout.h"
#include "common/ops/recompute.h"
#include "common/optim/adamw.h"
#include "tests/steps/models.h"
// Before the steps' headers, which include them: those get a namespace for each step.
#include "common/nn/hf_config.h"
#include "common/nn/layers.h"
#include "common/nn/pretrained.h"

// The files of 05 and 06 are those of 04, and so on: gcc would pass over them.
namespace step04 {
#include "steps/04_overfit/gpt2.h"
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
namespace step13 {
#include "steps/13_fineweb/gpt2.h"
}

namespace step16 {
#include "steps/16_recompute/gpt2.h"
}

namespace gpt2::testing {
namespace {

using Values = std::map<std::string, std::vector<float>>;  // by parameter

struct Trained {
  std::vector<double> losses, norms;
  Values gradients;  // of the first step
  Values updates;    // all steps together
};

template <class Get>
Values values_of(const nn::Module& model, const Get& get) {
  Values values;
  for (const auto& [name, tensor] : model.named_parameters())
    values[name] = get(*tensor).to(DType::f32).template to_vector<float>();
  return values;
}

optim::AdamW make_optimizer(const nn::Module& model, int chapter) {
  if (chapter < 10) return optim::AdamW(model, {.lr = 1e-3});
  std::vector<Tensor> decayed, not_decayed;
  for (const auto& [name, p] : model.named_parameters())
    (p->dim() >= 2 ? decayed : not_decayed).push_back(*p);
  return optim::AdamW({decayed, 0.1}, {not_decayed, 0},
                      {.lr = 1e-3, .beta1 = 0.9, .beta2 = 0.95, .eps = 1e-8});
}

template <class GPT, class GPTConfig>
Trained train(int chapter, DType dtype, Device device) {
  nn::manual_seed(1337);
  GPT model(GPTConfig{64, 257, 2, 2, 64});
  const DType weight_type = chapter < 15 ? DType::f32 : dtype;
  model.to(device, weight_type);
  const Recomputing recomputing(chapter < 16 ? Recompute::none : Recompute::block);
  const auto weights = [](const Tensor& p) { return p.detach(); };
  const Values before = values_of(model, weights);
  optim::AdamW optimizer = make_optimizer(model, chapter);
  DropoutMasks masks(chapter < 13 ? 0 : 0.1, 3, device);
  app::StepGraphs graphs(device, chapter >= 14 && device.is_cuda());
  const int64_t micro_batches = chapter < 11 ? 1 : 2, steps = chapter < 14 ? 2 : 4;  // the third is recorded
  const auto [x, y] = batch_of_ids(2 * micro_batches, 33, 257, device);
  const Tensor loss_accum = empty({}, device);
  Tensor norm;
  Trained trained;
  for (int64_t step = 0; step < steps; ++step) {
    optimizer.zero_grad();
    zero_(loss_accum);
    for (int64_t i = 0; i < micro_batches; ++i) {
      masks.set_draw(step * micro_batches + i);
      graphs.run(std::to_string(i), [&, x = x.slice(0, 2 * i, 2), y = y.slice(0, 2 * i, 2)] {
        const Autocast autocast(chapter < 15 ? dtype : DType::f32);
        const Dropout dropout_on(masks);
        auto [logits, loss] = model(x, y);
        loss = loss / double(micro_batches);
        copy_(loss_accum, loss_accum + loss.detach());
        loss.backward();
      });
    }
    if (step == 0) trained.gradients = values_of(model, [](const Tensor& p) { return p.grad(); });
    graphs.run("update", [&] {
      if (chapter >= 10) norm = optimizer.clip_grad_norm(1);
      optimizer.step();
    });
    trained.losses.push_back(loss_accum.item());
    if (chapter >= 10) trained.norms.push_back(norm.item());
  }
  trained.updates = values_of(model, weights);
  for (auto& [name, values] : trained.updates)
    for (size_t i = 0; i < values.size(); ++i) values[i] -= before.at(name)[i];
  return trained;
}

struct Chapter {
  const char* name;
  Trained (*train)(int chapter, DType dtype, Device device);
};

#define CHAPTER(number, folder) \
  Chapter { #folder, train < step##number::GPT, step##number::GPTConfig> }
const Chapter kChapters[] = {
    CHAPTER(04, 04_overfit),
    CHAPTER(04, 05_tf32),
    CHAPTER(04, 06_bf16),
    CHAPTER(07, 07_fusion),
    CHAPTER(08, 08_flash_attention),
    CHAPTER(09, 09_vocab),
    CHAPTER(09, 10_adamw),
    CHAPTER(09, 11_grad_accum),
    CHAPTER(09, 12_ddp),
    CHAPTER(13, 13_fineweb),
    CHAPTER(13, 14_cuda_graph),
    CHAPTER(13, 15_bf16_weights),
    CHAPTER(16, 16_recompute),
};

struct Case {
  Chapter chapter;
  DType dtype;
};

void PrintTo(const Case& which, std::ostream* out) { *out << which.chapter.name; }

std::vector<Case> cases() {
  std::vector<Case> cases;
  for (const Chapter& chapter : kChapters) {
    cases.push_back({chapter, DType::f32});
    if (std::stoi(chapter.name) >= 6) cases.push_back({chapter, DType::bf16});
  }
  return cases;
}

class WholeStep : public ::testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
    if (cuda_device_count() == 0) GTEST_SKIP() << "no GPU on this machine";
  }
};

// AdamW's first updates are little more than the gradients' signs, which rounding turns around where a gradient is
// nearly 0. So a tensor's update may be further off than its gradient; an update that is wrong, or left out, is off by 1.
TEST_P(WholeStep, OnTheGpuIsThatOfTheCpu) {
  const auto& [chapter, dtype] = GetParam();
  const int number = std::stoi(chapter.name);
  const bool bf16 = dtype == DType::bf16;
  const double tolerance = bf16 ? 3e-2 : 1e-4, of_updates = bf16 ? 0.6 : 0.1;
  const Trained cpu = chapter.train(number, dtype, kCpu), gpu = chapter.train(number, dtype, kCuda);
  ASSERT_EQ(gpu.losses.size(), cpu.losses.size());
  for (size_t i = 0; i < cpu.losses.size(); ++i)
    EXPECT_LE(std::abs(gpu.losses[i] / cpu.losses[i] - 1), tolerance) << "step " << i;
  ASSERT_EQ(gpu.norms.size(), cpu.norms.size());
  for (size_t i = 0; i < cpu.norms.size(); ++i)
    EXPECT_LE(std::abs(gpu.norms[i] / cpu.norms[i] - 1), tolerance) << "step " << i;
  for (const auto& [name, gradient] : cpu.gradients) {
    if (name.ends_with("c_attn.bias")) continue;  // of the key bias: 0, and noise
    EXPECT_LE(relative_distance(gpu.gradients.at(name), gradient), tolerance) << name;
    EXPECT_LE(relative_distance(gpu.updates.at(name), cpu.updates.at(name)), of_updates) << name;
  }
}

INSTANTIATE_TEST_SUITE_P(Of, WholeStep, ::testing::ValuesIn(cases()),
                         [](const ::testing::TestParamInfo<Case>& test) {
                           return "Step" + std::string(test.param.chapter.name) +
                                  (test.param.dtype == DType::bf16 ? "_bf16" : "_fp32");
                         });

}  // namespace
}  // namespace gpt2::testing
