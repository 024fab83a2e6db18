// Both runs, from nothing and from the tales; writes log.csv here.
#include <fmt/core.h>

#include <fstream>

#include "common/app/program.h"
#include "finetune.h"

using namespace gpt2;

namespace {

void add_rows(std::ofstream& csv, Beginning beginning, const Log& log) {
  const std::string name = name_of(beginning);
  for (size_t i = 0; i < log.train.size(); ++i)
    csv << fmt::format("{},train,{},{:.6f}\n", name, i, log.train[i]);
  for (size_t i = 0; i < log.val.size(); ++i)
    csv << fmt::format("{},val,{},{:.6f}\n", name, i * kEvery, log.val[i]);
}

void run(app::CommandLine& flags) {
  flags.parse();
  const Texts texts = own_texts();
  std::ofstream csv("log.csv");
  csv << "beginning,text,step,loss\n";
  for (const Beginning beginning : {Beginning::nothing, Beginning::tales}) {
    const auto model = first_model(beginning);
    const Log log = train(*model, texts, beginning, kSteps);
    add_rows(csv, beginning, log);
    for (size_t i = 0; i < log.val.size(); ++i)
      fmt::print("{:8} step {:3} | validation loss: {:.4f}\n", name_of(beginning), i * kEvery, log.val[i]);
  }
  fmt::print("wrote log.csv\n");
}

}  // namespace

int main(int argc, char** argv) { return app::run("train", argc, argv, run); }
