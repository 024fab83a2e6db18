#include "common/app/log.h"

#include <fmt/core.h>
#include <sys/resource.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
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
  context().counts.reset();  // what is counted from here on belongs to the first step
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

size_t peak_bytes(Device device) {
  if (device.is_cuda()) return heap(device).peak_bytes();
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return size_t(usage.ru_maxrss) * 1024;
}

namespace {

// The first steps ask for memory, compile and choose kernels, wake the threads: nobody waits for them again.
constexpr size_t kWarmUp = 3;

}  // namespace

void Log::done(Device device) {
  const size_t first = steps_.size() > kWarmUp ? kWarmUp : 0;
  std::vector<double> ms;
  for (size_t i = first; i < steps_.size(); ++i) ms.push_back(steps_[i].ms);
  std::sort(ms.begin(), ms.end());
  const double median = (ms[(ms.size() - 1) / 2] + ms[ms.size() / 2]) / 2;
  const double tokens_per_sec = double(steps_.back().tokens) / (median / 1000);
  fmt::print("median of {} steps after {} | dt: {:.2f}ms ({:.2f} to {:.2f}) | tok/sec: {:.2f}\n", ms.size(),
             first, median, ms.front(), ms.back(), tokens_per_sec);
  event("done", {{"steps", steps_.size()},
                 {"ms", median},
                 {"ms_spread", {ms.front(), ms.back()}},
                 {"tokens_per_sec", tokens_per_sec},
                 {"peak_bytes", peak_bytes(device)}});
}

void Log::print_counts() const {
  KernelCounts::Count total;
  fmt::print("{:32} {:>6} {:>12}\n", "one step", "calls", "MB");
  for (const auto& [kernel, count] : counts_.by_kernel()) {
    fmt::print("{:32} {:6} {:12.1f}\n", kernel, count.calls, double(count.bytes) / 1e6);
    total.calls += count.calls;
    total.bytes += count.bytes;
  }
  fmt::print("{:32} {:6} {:12.1f}\n", "all", total.calls, double(total.bytes) / 1e6);
}

void Log::step(const StepRecord& record) {
  require(
      std::isfinite(record.loss) && std::isfinite(record.norm.value_or(0)),
      "step {}: loss {}, norm of the gradients {}: not finite; try a lower learning rate or another --seed",
      record.step, record.loss, record.norm.value_or(0));
  steps_.push_back(record);
  counts_ = std::exchange(context().counts, {});
  const double tokens_per_sec = double(record.tokens) / (record.ms / 1000);
  nlohmann::ordered_json fields = {{"step", record.step}, {"loss", record.loss}};
  std::string recipe;  // the video prints it from 10_adamw on
  if (record.lr && record.norm) {
    fields.update({{"lr", *record.lr}, {"norm", *record.norm}});
    recipe = fmt::format(" | lr {:.4e} | norm: {:.4f}", *record.lr, *record.norm);
  }
  fields.update({{"ms", record.ms}, {"tokens_per_sec", tokens_per_sec}});
  fmt::print("step {:4} | loss: {:.6f}{} | dt: {:.2f}ms | tok/sec: {:.2f}\n", record.step, record.loss,
             recipe, record.ms, tokens_per_sec);
  std::fflush(stdout);
  event("step", fields);
}

}  // namespace gpt2::app
