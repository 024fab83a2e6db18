#include "common/app/log.h"

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <utility>

#include "common/base/error.h"
#include "common/base/os.h"
#include "common/text/utf8.h"

namespace gpt2::app {

namespace {

using nlohmann::ordered_json;

// The event in the format of the video's log.txt; empty if log.txt has no such event.
std::string video_line(const ordered_json& event) {
  const std::string name = event.at("event");
  const auto line = [&](const char* what, const char* field, const char* format) {
    return fmt::format("{} {} {}", event.at("step").get<int64_t>(), what,
                       fmt::format(fmt::runtime(format), event.at(field).get<double>()));
  };
  if (name == "step") return line("train", "loss", "{:.6f}");
  if (name == "val") return line("val", "loss", "{:.4f}");
  if (name == "hellaswag") return line("hella", "acc_norm", "{:.4f}");
  return "";
}

// The event in the format of llm.c's main.log; empty if main.log has no such event.
std::string llmc_line(const ordered_json& event) {
  const std::string name = event.value("event", "");
  const auto field = [&](const char* key) {
    const auto found = event.find(key);
    return found != event.end() && found->is_number() ? std::optional(found->get<double>()) : std::nullopt;
  };
  const auto step = field("step"), loss = field("loss"), lr = field("lr"), norm = field("norm"),
             accuracy = field("acc_norm");
  if (!step) return "";
  if (name == "step" && loss && lr && norm)
    return fmt::format("s:{:.0f} trl:{:.4f} lr:{:.6f} norm:{:.2f}", *step, *loss, *lr, *norm);
  if (name == "val" && loss) return fmt::format("s:{:.0f} tel:{:.4f}", *step, *loss);
  if (name == "hellaswag" && accuracy) return fmt::format("s:{:.0f} eval:{:.4f}", *step, *accuracy);
  return "";
}

}  // namespace

std::string llmc_log(std::string_view json) {
  std::string lines;
  while (!json.empty()) {
    const size_t end = std::min(json.find('\n'), json.size());
    const auto event = ordered_json::parse(json.substr(0, end), nullptr, /*allow_exceptions=*/false);
    if (const std::string line = event.is_object() ? llmc_line(event) : ""; !line.empty())
      lines += line + "\n";
    json.remove_prefix(std::min(end + 1, json.size()));
  }
  return lines;
}

std::string json_line(const ordered_json& event) {
  return event.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

Log::Log(LogFile json, LogFile text, LogFile llmc)
    : json_(std::move(json)), text_(std::move(text)), llmc_(std::move(llmc)) {}

Log::Log(const std::string& path, const std::string& text_path, const std::string& llmc_path)
    : Log(LogFile(path), LogFile(text_path), LogFile(llmc_path)) {}

Log Log::resume(const std::string& path, const std::string& text_path, const std::string& llmc_path,
                const Contents& contents, const ordered_json& note) {
  Log log(LogFile(path, contents.json), LogFile(text_path, contents.text), LogFile(llmc_path, contents.llmc));
  if (note.is_null()) return log;
  log.note_ = std::make_shared<ordered_json>(note);
  log.checkpoint_ = note.value("checkpoint", "");
  return log;
}

void Log::write(const ordered_json& line) {
  json_.write(json_line(line));
  if (const std::string text = video_line(line); !text.empty()) text_.write(text);
  if (const std::string text = llmc_line(line); !text.empty()) llmc_.write(text);
}

void Log::event(const std::string& name, const ordered_json& fields) {
  ordered_json line = {{"event", name}};
  line.update(fields);
  write(line);
  flush_output();  // the lines printed with it
}

void Log::write_config(const Options& options, const nn::Module& model) {
  num_steps_ = options.steps;
  context().counts.reset();  // counts from here on belong to the first step
  ordered_json fields = {{"device", to_string(options.device())},
                         {"model", options.model},
                         {"data", options.data},
                         {"tokenizer", options.tokenizer},
                         {"seed", options.seed},
                         {"steps", options.steps},
                         {"batch", options.batch},
                         {"seq", options.seq},
                         {"tensors", model.named_parameters().size()},
                         {"parameters", model.num_parameters()}};
  if (note_) fields["resumed"] = *note_;
  event("config", fields);
}

void Log::set_peak(const Options& options, const nn::Module& model, const std::string& arithmetic,
                   int ranks) {
  const Device device = options.device();
  const auto peak = device.is_cuda() ? peak_flops(backend(device).name(), arithmetic) : std::nullopt;
  const auto parameters = model.named_parameters();
  const auto positions = std::find_if(
      parameters.begin(), parameters.end(),
      [](const nn::NamedParameter& parameter) { return parameter.name.ends_with("wpe.weight"); });
  if (!peak || positions == parameters.end()) return;
  const int64_t T = options.batch_shape(positions->tensor->size(0)).T;
  peak_tokens_per_sec_ = *peak * ranks / flops_per_token(model, T);
}

size_t peak_bytes(Device device) {
  if (device.is_cuda()) return heap(device).peak_bytes();
  return os::peak_memory_bytes();
}

namespace {

// The first steps allocate memory, compile and choose kernels, and start threads. Later steps do not, so
// these are left out.
constexpr size_t kWarmUp = 3;

}  // namespace

void Log::val(int64_t step, double loss) {
  require(std::isfinite(loss), "step {}: validation loss {}: not finite", step, loss);
  write_output(fmt::format("validation loss: {:.4f}\n", loss));
  event("val", {{"step", step}, {"loss", loss}});
}

void Log::hellaswag(int64_t step, const HellaSwag::Score& score) {
  const double accuracy = double(score.correct_norm) / double(score.items);
  write_output(fmt::format("HellaSwag accuracy: {}/{}={:.4f}\n", score.correct_norm, score.items, accuracy));
  event("hellaswag", {{"step", step},
                      {"acc_norm", accuracy},
                      {"acc", double(score.correct) / double(score.items)},
                      {"items", score.items}});
}

void Log::sample(int64_t step, const std::string& text) {
  write_output(fmt::format("> {}\n", printable(text)));
  event("sample", {{"step", step}, {"text", text}});
}

void Log::checkpoint(int64_t step, const std::string& path) {
  event("checkpoint", {{"step", step}, {"path", path}});
  checkpoint_ = std::filesystem::path(path).filename();
  sync();
}

ordered_json Log::extents() const { return {{"log.jsonl", json_.extent()}, {"log.txt", text_.extent()}}; }

void Log::done(Device device) {
  if (steps_.empty()) return;  // the resumed run was already complete
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
  sync();
}

void Log::sync() {
  json_.sync();
  text_.sync();
  llmc_.sync();
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

// " | 2h05m left", for long runs.
std::string Log::time_left() const {
  if (isatty(STDOUT_FILENO) == 0 || steps_.size() <= kWarmUp) return "";
  const size_t recent = std::min<size_t>(steps_.size() - kWarmUp, 20);
  double ms = 0;
  for (size_t i = steps_.size() - recent; i < steps_.size(); ++i) ms += steps_[i].ms / double(recent);
  const auto seconds = int64_t(double(num_steps_ - 1 - steps_.back().step) * ms / 1000);
  return seconds < 60     ? fmt::format(" | {}s left", seconds)
         : seconds < 3600 ? fmt::format(" | {}m{:02}s left", seconds / 60, seconds % 60)
                          : fmt::format(" | {}h{:02}m left", seconds / 3600, seconds / 60 % 60);
}

void Log::step(const StepRecord& record) {
  const std::string last_good =
      checkpoint_.empty() ? ""
                          : fmt::format("; --resume-from {} goes back to the newest checkpoint", checkpoint_);
  require(
      std::isfinite(record.loss) && std::isfinite(record.norm.value_or(0)),
      "step {}: loss {}, norm of the gradients {}: not finite; try a lower learning rate or another --seed{}",
      record.step, record.loss, record.norm.value_or(0), last_good);
  steps_.push_back(record);
  counts_ = std::exchange(context().counts, {});
  const double tokens_per_sec = double(record.tokens) / (record.ms / 1000);
  ordered_json fields = {{"step", record.step}, {"loss", record.loss}};
  std::string recipe;  // the video prints it from 10_adamw on
  if (record.lr && record.norm) {
    fields.update({{"lr", *record.lr}, {"norm", *record.norm}});
    recipe = fmt::format(" | lr {:.4e} | norm: {:.4f}", *record.lr, *record.norm);
  }
  fields.update({{"ms", record.ms}, {"tokens_per_sec", tokens_per_sec}});
  std::string rest;
  if (peak_tokens_per_sec_) {
    fields["mfu"] = tokens_per_sec / *peak_tokens_per_sec_;
    rest = fmt::format(" | mfu: {:.1f}%", 100 * tokens_per_sec / *peak_tokens_per_sec_);
  }
  if (record.skipped) {
    fields["skipped"] = true;
    rest += " | update skipped";
  }
  write_output(fmt::format("step {:4} | loss: {:.6f}{} | dt: {:.2f}ms | tok/sec: {:.2f}{}{}\n", record.step,
                           record.loss, recipe, record.ms, tokens_per_sec, rest, time_left()));
  event("step", fields);
}

}  // namespace gpt2::app
