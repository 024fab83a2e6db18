#include "common/training/run_folder.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <span>
#include <utility>

#include "common/app/interrupt.h"
#include "common/base/error.h"
#include "common/dist/agreement.h"

namespace gpt2::training {

namespace {

// What follows is done by all ranks or by none.
void require_same_folder(const RunOptions& run, const dist::ProcessGroup& group) {
  const std::string out = run.out.empty() ? "" : std::filesystem::weakly_canonical(run.out).string();
  dist::require_same_on_all_ranks(group, {{"--out", out}, {"--resume", run.resume ? "on" : "off"}});
}

}  // namespace

RunFolder::RunFolder(const RunOptions& run, int64_t steps, const dist::ProcessGroup& group)
    : run_(run), steps_(steps), group_(group) {
  require_same_folder(run, group);
  require(!run.out.empty() || (!run.resume && run.checkpoint_every == 0),
          "{}: give the run's folder with --out", run.resume ? "--resume" : "--checkpoint-every");
  if (run.out.empty()) return;
  if (group.is_master()) {
    make_out(run.out, run.resume);
    lock_ = open(run.out.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    require(flock(lock_, LOCK_EX | LOCK_NB) == 0, "--out {}: another run is writing there", run.out);
    remove_half_written(run.out);
  }
  group.barrier();
  const auto checkpoints = checkpoints_in(run.out);
  if (checkpoints.empty()) return;
  newest_ = checkpoints.back();
  step_ = step_of(newest_);
}

RunFolder::~RunFolder() {
  if (lock_ >= 0) close(lock_);
}

void RunFolder::require_room_for_all(int64_t parameters) const {
  const int64_t left = steps_ - step_.value_or(0);
  const int64_t written = run_.checkpoint_every > 0 ? left / run_.checkpoint_every + 1 : 1;
  const int64_t stay = run_.keep_every > 0 ? left / run_.keep_every : 0;
  const int64_t here = int64_t(checkpoints_in(run_.out).size());
  // One more than stays: the oldest goes when the newest is there.
  require_room(run_.out, std::min(written, std::max<int64_t>(run_.keep + 1 - here, 1)) + stay, parameters);
}

void RunFolder::resume(const TrainingState& state, CheckpointSetup setup) {
  state_.emplace(state);
  setup_.emplace(std::move(setup));
  if (run_.out.empty()) return;
  if (group_.is_master()) require_room_for_all(state.model.num_parameters());
  std::array<double, 2> sum = {step_ ? 1.0 : 0.0, double(step_.value_or(0))};
  group_.all_reduce(std::span(sum));
  const bool all_see_it = sum[0] == (step_ ? group_.world_size() : 0) &&
                          sum[1] == double(step_.value_or(0)) * group_.world_size();
  require(all_see_it, "--out {}: not the same on all ranks; it has to be one folder that all machines share",
          run_.out);
  if (!step_) {
    if (run_.resume) fmt::print("--resume: no checkpoint in {} yet; starting at step 0\n", run_.out);
    return;
  }
  load_checkpoint(newest_, state, setup_->settings);
  fmt::print("{} {}\n", *step_ == steps_ ? "nothing left to do:" : "going on from", newest_);
}

app::Log RunFolder::open_log(const std::string& path) const {
  if (!group_.is_master() || step_ == steps_) return app::Log("");
  if (run_.out.empty()) return app::Log(path);
  const std::string json = path.empty() ? run_.out + "/log.jsonl" : path, text = run_.out + "/log.txt";
  return step_ ? app::Log::resume(json, text, *step_) : app::Log(json, text);
}

bool RunFolder::save_if_due(int64_t step, bool is_end, app::Log& log) const {
  const bool stops = is_end || app::stop_requested(group_);
  const bool is_due = step > 0 && run_.checkpoint_every > 0 && step % run_.checkpoint_every == 0;
  if (!run_.out.empty() && group_.is_master() && (is_due || stops) && step != step_) {
    log.checkpoint(step, save_checkpoint(run_.out, step, {run_.keep, run_.keep_every}, *state_, *setup_));
  }
  return stops;
}

}  // namespace gpt2::training
