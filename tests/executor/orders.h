// Two ranks train a step's program under many orders of their streams' work (orders.cpp): what the programs of the
// steps give it.
//
// since 12_ddp
#pragma once

#include <algorithm>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "common/app/program.h"
#include "common/dist/process_group.h"
#include "common/nn/module.h"

namespace orders {

// What a run leaves behind: losses and gradient norms (of rank 0's log), then all weights.
using Result = std::vector<double>;

using Flags = std::vector<std::string>;

inline Result result_of(const std::string& log, const gpt2::nn::Module& model) {
  Result result;
  std::ifstream lines(log);
  for (std::string line; std::getline(lines, line);) {
    const auto event = nlohmann::json::parse(line);
    if (event.at("event") != "step") continue;
    result.push_back(event.at("loss"));
    result.push_back(event.at("norm"));
  }
  for (const auto& [name, tensor] : model.named_parameters()) {
    const auto weights = tensor->to_vector<float>();
    result.insert(result.end(), weights.begin(), weights.end());
  }
  return result;
}

template <class Options>
Options parse(Flags flags) {
  std::vector<char*> argv;
  flags.insert(flags.begin(), "orders");
  for (std::string& flag : flags) argv.push_back(flag.data());
  gpt2::app::CommandLine line("orders", int(argv.size()), argv.data());
  Options options;
  options.add_to(line);
  line.parse();
  return options;
}

// As small as a model can be in which buckets and layers overlap.
template <class Config>
void make_small(Config& config) {
  config.n_layer = 2;
  config.n_head = 1;
  config.n_embd = 32;
}

// A program's run with these flags, from the first to the last step. It can be repeated.
class Training {
 public:
  virtual ~Training() = default;
  virtual Result run() = 0;
};
std::unique_ptr<Training> train_12(const gpt2::dist::ProcessGroup& group, const Flags& flags);
std::unique_ptr<Training> train_14(const gpt2::dist::ProcessGroup& group, const Flags& flags);

}  // namespace orders
