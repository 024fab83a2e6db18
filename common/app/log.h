// The log: one JSON object per line in a file, with `event` first, and the video's line on the terminal.
//
// Events: config, step, val, hellaswag, sample, checkpoint, done. Plots, tests and the timing table read only
// this file.
//
// since 01_module
#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "common/app/log_file.h"
#include "common/app/mfu.h"
#include "common/app/options.h"
#include "common/eval/hellaswag.h"
#include "common/nn/module.h"

namespace gpt2::app {

// One optimizer step as the log shows it.
struct StepRecord {
  int64_t step = 0;
  double loss = 0;
  std::optional<double> lr = {}, norm = {};  // learning rate, gradient norm: since 10_adamw
  double ms = 0;                             // wall time of the step
  int64_t tokens = 0;                        // tokens trained on in this step
  bool skipped = false;                      // whether its update was left out; since 17_zero
};

// Returns the peak memory so far, in bytes: on the CPU of the whole process, on a GPU of the tensors.
size_t peak_bytes(Device device);

class Log {
 public:
  // Replaces the file `path`; if the path is empty, no file is written. With `text_path`, losses and scores
  // are also written to that file, in the format of the video's log.txt: 250 val 6.1321. With `llmc_path`, to that file
  // in the format of llm.c's main.log: s:250 tel:6.1321
  explicit Log(const std::string& path, const std::string& text_path = "", const std::string& llmc_path = "");

  // The contents of the files.
  struct Contents {
    std::string json, text, llmc;
  };

  // Continues the log of a run that resumes: the files then have these contents. `note` describes how the run
  // resumes; the config event stores it as "resumed". It is null for a run that had no checkpoint yet.
  // since 13_fineweb
  static Log resume(const std::string& path, const std::string& text_path, const std::string& llmc_path,
                    const Contents& contents, const nlohmann::ordered_json& note);

  // Writes one line: {"event": name, ...fields}.
  void event(const std::string& name, const nlohmann::ordered_json& fields);

  // Writes the config event: the flags and the number of parameters. `ranks` devices share the work of a
  // step.
  template <class StepOptions>
  void config(const StepOptions& options, const nn::Module& model, int ranks = 1) {
    write_config(options, model);
    set_peak(options, model, arithmetic_of(options), ranks);
  }

  // Each writes a val, hellaswag or sample event, and prints a line.   since 13_fineweb
  void val(int64_t step, double loss);
  void hellaswag(int64_t step, const HellaSwag::Score& score);
  void sample(int64_t step, const std::string& text);

  // Writes a checkpoint event. When it returns, the whole log so far is safe on disk.   since 13_fineweb
  void checkpoint(int64_t step, const std::string& path);

  // When it returns, the log is safe on disk. What happened to the files meanwhile: LogFile::sync.   since 13_fineweb
  void sync();

  // Returns how far the files go: {"log.jsonl": LogFile::extent(), "log.txt": ...}.   since 13_fineweb
  nlohmann::ordered_json extents() const;

  // Writes the done event: the median, shortest and longest time of the steps after the warm-up, and the peak
  // memory. Prints the median too.   since 04_overfit
  void done(Device device);

  // Prints the kernels that the last step called: a line for each with its calls and the bytes it read and
  // wrote, and the totals.   since 04_overfit
  void print_counts() const;

  // Writes a step event, and prints: step    0 | loss: 10.983512 | dt: 812.40ms | tok/sec: 315.12
  void step(const StepRecord& record);

 private:
  Log(LogFile json, LogFile text, LogFile llmc);
  void write(const nlohmann::ordered_json& line);
  void write_config(const Options& options, const nn::Module& model);
  void set_peak(const Options& options, const nn::Module& model, const std::string& arithmetic, int ranks);
  std::string time_left() const;

  LogFile json_, text_, llmc_;
  std::shared_ptr<const nlohmann::ordered_json> note_;  // null: this run was not resumed
  std::string checkpoint_;                              // the name of the newest checkpoint, or empty
  int64_t num_steps_ = 0;                               // of the whole run
  std::optional<double> peak_tokens_per_sec_;  // the value at which mfu is 1; none if the peak is unknown
  std::vector<StepRecord> steps_;
  KernelCounts counts_;  // the last step's
};

// Returns an event as a line of the log, without its end.
std::string json_line(const nlohmann::ordered_json& event);

// Returns the main.log of a run whose log.jsonl has this text: the lines that llm.c's logger.h writes, which its
// plotting notebook reads.   since 13_fineweb
std::string llmc_log(std::string_view json);

}  // namespace gpt2::app
