// The folder of a run, --out: its checkpoints, and its log beside them. Without --out there is none.
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
  // Prepares the folder for a run of `steps` steps and locks it against other runs. Throws if there is something in it
  // already, unless the run goes on with it.
  RunFolder(const RunOptions& run, int64_t steps, const dist::ProcessGroup& group);
  ~RunFolder();
  RunFolder(const RunFolder&) = delete;
  RunFolder& operator=(const RunFolder&) = delete;

  // Restores the newest checkpoint (--resume-from: another), if there is one, on all ranks. From now on checkpoints are
  // of this state, which must outlive this object. Throws if the checkpoint is damaged, if it belongs to a run with other
  // settings or data, unless --resume-anyway accepts them, and if the disk is too full for the checkpoints still to be
  // written.
  void resume(const TrainingState& state, CheckpointSetup setup);

  // The step of the checkpoint that was restored; none if the run starts at step 0.
  std::optional<int64_t> resumed() const { return step_; }

  // The log, by default OUT/log.jsonl, and OUT/log.txt. The log of a run that goes on is continued; the log of a run
  // that was complete stays as it is.
  app::Log open_log(const std::string& path) const;

  // Writes a checkpoint if one is due before this step, at the end, or if the run was interrupted (app::interrupt).
  // Returns true if the run ends here. All ranks call it together.
  bool save_if_due(int64_t step, bool is_end, app::Log& log) const;

 private:
  void choose_checkpoint();
  void require_room_for_all(int64_t parameters) const;
  void require_shared_folder() const;
  nlohmann::json verified() const;
  void require_same_run(const nlohmann::json& saved, const CheckpointSetup& setup, TokenLoader& loader);

  RunOptions run_;
  int64_t steps_;
  const dist::ProcessGroup& group_;
  int lock_ = -1;                // the folder, held by this run
  std::string checkpoint_;       // the one to go on from, or empty
  std::optional<int64_t> step_;  // its step
  nlohmann::ordered_json note_;  // how the run goes on from it, for the log
  std::optional<TrainingState> state_;
  std::optional<CheckpointSetup> setup_;
};

}  // namespace gpt2::training
