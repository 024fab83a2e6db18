// Three runs of the baseline and three of the idea, with the student's seeds; writes runs.csv here.
#include <fmt/core.h>

#include <cstdio>
#include <fstream>

#include "common/app/program.h"
#include "experiment.h"

using namespace gpt2;

namespace {

void run(app::CommandLine& flags) {
  flags.parse();
  std::ofstream csv("runs.csv");
  csv << "model,seed,step,validation loss\n";
  for (const auto& [name, make] :
       {std::pair<std::string, Make>{"baseline", make_baseline}, {"idea", make_idea}}) {
    for (const uint64_t seed : own_seeds()) {
      const std::vector<double> losses = validation_losses(make, seed, kSteps);
      for (size_t i = 0; i < losses.size(); ++i)
        csv << fmt::format("{},{},{},{:.6f}\n", name, seed, i * kEvery, losses[i]);
      fmt::print("{:8} | seed {:6} | validation loss after {} steps: {:.4f}\n", name, seed, kSteps,
                 losses.back());
      std::fflush(stdout);
    }
  }
  fmt::print("wrote runs.csv; now write verdict.txt\n");
}

}  // namespace

int main(int argc, char** argv) { return app::run("train", argc, argv, run); }
