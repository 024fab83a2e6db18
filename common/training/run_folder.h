// The folder of a run, --out: its checkpoints, and its log beside them. Without --out there is no such
// folder.
//
//   training::RunFolder folder(options.run, options.steps, group);
//   ...
//   folder.resume({model, optimizer, loader}, setup);
//   app::Log log = folder.open_log(options.log);
//   for (int64_t step = folder.resumed().value_or(0);; ++step) {
//     if (folder.save_if_due(step, step == options.steps, log)) break;
//     ...
//   }
//
// since 13_fineweb
#pragma once

#include "common/app/log.h"
#include "common/dist/process_group.h"
#include "common/training/checkpoint.h"
#include "common/training/run_options.h"

namespace gpt2::training {

class RunFolder {
 public:
  // Prepares the folder for a run of `steps` steps and locks it against other runs. Throws if it is not
  // empty, unless the run resumes. A folder that this object made is removed again if it stays empty.
  RunFolder(const RunOptions& run, int64_t steps, const dist::ProcessGroup& group);
  RunFolder(const RunFolder&) = delete;
  RunFolder& operator=(const RunFolder&) = delete;

  // Restores the newest checkpoint (--resume-from: another) on all ranks, if there is one. Later checkpoints
  // save this `state`, which must outlive this object. Throws if the checkpoint is damaged; if it belongs to
  // a run with other settings or data, unless --resume-anyway is given; or if the disk is too full for the
  // checkpoints still to be written.
  void resume(const TrainingState& state, CheckpointSetup setup);

  // Returns the step of the restored checkpoint; none if the run starts at step 0.
  std::optional<int64_t> resumed() const { return step_; }

  // Returns what decides whether a step is skipped (common/training/outliers.h), with the values of the restored
  // checkpoint; later checkpoints store them. Call it after resume().   since 17_zero
  Outliers& watch(double loss_limit, double norm_limit);

  // Opens the log, by default OUT/log.jsonl, and OUT/log.txt and OUT/main.log. If the run resumes, its log is continued; if
  // the run was already complete, its log does not change. Throws if the log is not this run's
  // (common/training/run_log.h). Sets aside checkpoints that are newer than the restored one.
  app::Log open_log(const std::string& path) const;

  // Writes a checkpoint if one is due before this step, at the end, or after an interrupt (app::interrupt).
  // Returns true if the run ends here. All ranks must call it together. If saving fails, the message names the newest
  // checkpoint.
  bool save_if_due(int64_t step, bool is_end, app::Log& log) const;

 private:
  // The folders that were made for --out.
  class Made {
   public:
    explicit Made(const std::string& out);
    ~Made();
    Made(const Made&) = delete;
    Made& operator=(const Made&) = delete;

   private:
    std::vector<std::string> folders_;  // the innermost first
  };
  // The folder, locked against other runs.
  class Lock {
   public:
    explicit Lock(const std::string& out);
    ~Lock();
    Lock(const Lock&) = delete;
    Lock& operator=(const Lock&) = delete;
    bool holds(const std::string& out) const;  // whether `out` is still this folder

   private:
    int folder_;  // file descriptor
  };
  void choose_checkpoint();
  void require_room_for_all(int64_t parameters) const;
  void require_shared_folder() const;
  OpenCheckpoint opened() const;
  void require_same_run(const nlohmann::json& saved, const TokenLoader& loader);
  std::map<std::string, uint64_t> write_optimizer(const std::string& folder) const;
  void save(int64_t step, app::Log& log) const;

  std::optional<Made> made_;
  RunOptions run_;
  int64_t steps_;
  const dist::ProcessGroup& group_;
  std::optional<Lock> lock_;
  std::string checkpoint_;       // the checkpoint to resume from, or empty
  std::optional<int64_t> step_;  // its step
  nlohmann::ordered_json note_;  // how the run resumes, for the log
  nlohmann::json saved_log_;     // how far the log went at the checkpoint
  nlohmann::json saved_recent_;  // for watch()
  std::optional<Outliers> outliers_;
  std::optional<TrainingState> state_;
  std::optional<CheckpointSetup> setup_;
};

}  // namespace gpt2::training
