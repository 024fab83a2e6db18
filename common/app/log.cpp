#include "common/app/log.h"

#include <fmt/core.h>

#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>

#include "common/base/error.h"

namespace gpt2::app {

Log::Log(const std::string& path) : path_(path) {
  if (path.empty()) return;
  file_.reset(std::fopen(path.c_str(), "w"));
  require(file_ != nullptr, "--log {}: {}; give a file in a folder that exists", path, std::strerror(errno));
}

void Log::event(const std::string& name, const nlohmann::ordered_json& fields) {
  if (!file_) return;
  nlohmann::ordered_json line = {{"event", name}};
  line.update(fields);
  const std::string text = line.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
  // Flushed line by line: a run that is killed keeps what it has logged.
  const bool written =
      std::fwrite(text.data(), 1, text.size(), file_.get()) == text.size() && std::fflush(file_.get()) == 0;
  require(written, "--log {}: {}", path_, std::strerror(errno));
}

void Log::config(const Options& options, const nn::Module& model) {
  event("config", {{"device", to_string(options.on())},
                   {"model", options.model},
                   {"data", options.data},
                   {"tokenizer", options.tokenizer},
                   {"seed", options.seed},
                   {"steps", options.steps},
                   {"batch", options.batch},
                   {"seq", options.seq},
                   {"tensors", model.named_parameters().size()},
                   {"parameters", model.num_parameters()}});
}

void Log::step(const StepRecord& record) {
  const double tokens_per_sec = double(record.tokens) / (record.ms / 1000);
  fmt::print("step {:4} | loss: {:.6f} | dt: {:.2f}ms | tok/sec: {:.2f}\n", record.step, record.loss,
             record.ms, tokens_per_sec);
  std::fflush(stdout);
  event(
      "step",
      {{"step", record.step}, {"loss", record.loss}, {"ms", record.ms}, {"tokens_per_sec", tokens_per_sec}});
}

}  // namespace gpt2::app
