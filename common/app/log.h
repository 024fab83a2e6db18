// The log: one JSON object a line in a file, `event` first, and the video's line on the terminal.
//
// Events: config, step, val, hellaswag, sample, checkpoint, done. A reader of the file needs nothing else:
// plots, tests and the timing table are made from it.
//
// since 01_module
#pragma once

#include <cstdio>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "common/app/mfu.h"
#include "common/app/options.h"
#include "common/eval/hellaswag.h"
#include "common/nn/module.h"

namespace gpt2::app {

// One optimizer step as the log shows it.
struct StepRecord {
  int64_t step = 0;
  double loss = 0;
  std::optional<double> lr = {}, norm = {};  // learning rate, norm of the gradients: since 10_adamw
  double ms = 0;                             // wall time of the step
  int64_t tokens = 0;                        // tokens it trained on
};

// The most memory in use at any time so far, in bytes: all of the process on the CPU, the tensors on a GPU.
size_t peak_bytes(Device device);

class Log {
 public:
  // Writes to the file `path`, replacing it; to no file if the path is empty. With `text_path`, losses and scores go
  // to that file as well, as the video's log.txt has them: 250 val 6.1321
  explicit Log(const std::string& path, const std::string& text_path = "");

  // The log of a run that goes on before step `step`: both files keep what they held up to that step. `note` says how
  // the run goes on: the config event has it as "resumed".   since 13_fineweb
  static Log resume(const std::string& path, const std::string& text_path, int64_t step,
                    const nlohmann::ordered_json& note);

  // One line: {"event": name, ...fields}.
  void event(const std::string& name, const nlohmann::ordered_json& fields);

  // The config event: the flags, and how many parameters the model has. `ranks` devices share the work of a step.
  template <class StepOptions>
  void config(const StepOptions& options, const nn::Module& model, int ranks = 1) {
    write_config(options, model);
    set_peak(options, model, arithmetic_of(options), ranks);
  }

  // A val, hellaswag or sample event, and a line on the terminal.   since 13_fineweb
  void val(int64_t step, double loss);
  void hellaswag(int64_t step, const HellaSwag::Score& score);
  void sample(int64_t step, const std::string& text);

  // A checkpoint event. When it returns, all of the log so far will survive a power cut.   since 13_fineweb
  void checkpoint(int64_t step, const std::string& path);

  // The done event: what a step took, the median of those after the warm-up, the shortest and the longest of them;
  // and the most memory ever used. The median stands on the terminal too.      since 05_tf32
  void done(Device device);

  // What the last step called: a line for each kernel with its calls and the bytes it touched, and their sum.
  // since 06_bf16
  void print_counts() const;

  // A step event, and on the terminal: step    0 | loss: 10.983512 | dt: 812.40ms | tok/sec: 315.12
  void step(const StepRecord& record);

 private:
  // A file to which whole lines are written, or none.
  class Lines {
   public:
    Lines(const std::string& path, const char* mode);
    void write(const std::string& line);
    void sync();

   private:
    struct Close {
      void operator()(std::FILE* file) const { std::fclose(file); }
    };
    std::string path_;
    std::unique_ptr<std::FILE, Close> file_;
  };
  Log(const std::string& path, const std::string& text_path, const char* mode);
  void write(const nlohmann::ordered_json& line);
  void write_config(const Options& options, const nn::Module& model);
  void set_peak(const Options& options, const nn::Module& model, const std::string& arithmetic, int ranks);
  std::string time_left() const;

  Lines json_, text_;
  std::shared_ptr<const nlohmann::ordered_json> note_;  // null: this run did not go on from a checkpoint
  int64_t num_steps_ = 0;                               // of the whole run
  std::optional<double> peak_tokens_per_sec_;           // at which mfu is 1, if the peak is known
  std::vector<StepRecord> steps_;
  KernelCounts counts_;  // of the last step
};

}  // namespace gpt2::app
