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
#include "common/base/digest.h"
#include "common/base/error.h"
#include "common/dist/agreement.h"
#include "common/text/utf8.h"
#include "common/training/checkpoint_digests.h"
#include "common/training/resume.h"

namespace gpt2::training {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

// Tells all ranks the digests of all sources' ids: open_shards() has read each source on one of them.
void share_digests(TokenLoader& loader, const dist::ProcessGroup& group) {
  const std::vector<SourceIdentity> sources = loader.identities();
  std::vector<double> halves;  // 32 bits each, which a double holds exactly
  for (size_t i = 0; i < sources.size(); ++i) {
    // The same division as in open_shards(). A text is read by all ranks, of which one tells.
    const uint64_t mine = i % size_t(group.world_size()) == size_t(group.rank()) ? sources[i].content : 0;
    halves.push_back(double(mine >> 32));
    halves.push_back(double(mine & UINT32_MAX));
  }
  group.all_reduce(std::span(halves));
  std::vector<uint64_t> digests;
  for (size_t i = 0; i < sources.size(); ++i) {
    digests.push_back(uint64_t(halves[2 * i]) << 32 | uint64_t(halves[2 * i + 1]));
  }
  loader.set_contents(digests);
}

// The name of the first source whose ids are not those that the checkpoint's run was trained on; empty if all are.
std::string changed_source(const json& saved, const std::vector<SourceIdentity>& sources) {
  const json before = saved.value("data", json::array());
  for (size_t i = 0; i < sources.size(); ++i) {
    if (i >= before.size() || before[i] != to_hex(sources[i].content)) return sources[i].name;
  }
  return "";
}

// What to do about a damaged checkpoint.
std::string advice(const std::string& out, int64_t damaged) {
  std::vector<std::string> checkpoints = checkpoints_in(out);
  std::reverse(checkpoints.begin(), checkpoints.end());
  for (const std::string& path : checkpoints) {
    if (*step_of(path) >= damaged) continue;
    try {
      if (!has_digests(verified_state(path))) continue;
    } catch (const Error&) {
      continue;
    }
    return fmt::format("--resume-from {} goes on from the newest older checkpoint that is whole",
                       fs::path(path).filename().string());
  }
  return fmt::format("no older checkpoint in {} is whole; start again with another --out", out);
}

// What follows is done by all ranks or by none.
void require_same_folder(const RunOptions& run, const dist::ProcessGroup& group) {
  const std::string out = run.out.empty() ? "" : std::filesystem::weakly_canonical(run.out).string();
  dist::require_same_on_all_ranks(group, {{"--out", out}, {"--resume", run.resume ? "on" : "off"}});
}

}  // namespace

RunFolder::RunFolder(const RunOptions& run, int64_t steps, const dist::ProcessGroup& group)
    : run_(run), steps_(steps), group_(group) {
  require_same_folder(run, group);
  run_.resume = run.resume || run.resume_anyway || !run.resume_from.empty();
  require(!run.out.empty() || (!run_.resume && run.checkpoint_every == 0),
          "{}: give the run's folder with --out", run_.resume ? "--resume" : "--checkpoint-every");
  if (run.out.empty()) return;
  if (group.is_master()) {
    make_out(run.out, run_.resume);
    lock_ = open(run.out.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    require(flock(lock_, LOCK_EX | LOCK_NB) == 0, "--out {}: another run is writing there", run.out);
    remove_half_written(run.out);
  }
  group.barrier();
  choose_checkpoint();
}

void RunFolder::choose_checkpoint() {
  const auto checkpoints = checkpoints_in(run_.out);
  const auto chosen =
      run_.resume_from.empty()
          ? checkpoints.end() - std::min<std::ptrdiff_t>(1, std::ssize(checkpoints))
          : std::find_if(checkpoints.begin(), checkpoints.end(), [&](const std::string& path) {
              return fs::path(path).filename() == fs::path(run_.resume_from).filename();
            });
  require(run_.resume_from.empty() || chosen != checkpoints.end(),
          "--resume-from {}: no such checkpoint in {}; the newest there is {}", run_.resume_from, run_.out,
          checkpoints.empty() ? "none" : fs::path(checkpoints.back()).filename().string());
  if (chosen == checkpoints.end()) return;
  checkpoint_ = *chosen;
  step_ = step_of(checkpoint_);
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

void RunFolder::require_shared_folder() const {
  std::array<double, 2> sum = {step_ ? 1.0 : 0.0, double(step_.value_or(0))};
  group_.all_reduce(std::span(sum));
  const bool all_see_it = sum[0] == (step_ ? group_.world_size() : 0) &&
                          sum[1] == double(step_.value_or(0)) * group_.world_size();
  require(all_see_it, "--out {}: not the same on all ranks; it has to be one folder that all machines share",
          run_.out);
}

json RunFolder::verified() const {
  json saved;
  try {
    saved = verified_state(checkpoint_);
  } catch (const Error& error) {
    fail("{}; {}", error.what(), advice(run_.out, *step_));
  }
  require(has_digests(saved) || run_.resume_anyway,
          "{}/state.json: no digests, so that damage would not be noticed (an older program wrote it); "
          "--resume-anyway "
          "goes on without comparing files, settings and data",
          checkpoint_);
  return saved;
}

void RunFolder::require_same_run(const json& saved, const CheckpointSetup& setup, TokenLoader& loader) {
  note_ = {{"step", *step_}, {"checkpoint", fs::path(checkpoint_).filename().string()}};
  const json before = saved.value("settings", json::object());
  if (!has_digests(saved)) {
    fmt::print("--resume-anyway: {} has no digests; its files, settings and data were not compared\n",
               checkpoint_);
    note_["compared"] = false;
    return;
  }
  const std::string schedule =
      change_of_schedule(checkpoint_, *step_, before, setup.settings, run_.resume_anyway);
  if (!schedule.empty()) {
    fmt::print("{}\n", schedule);
    note_["schedule"] = schedule;
  }
  std::vector<Difference> different = differences(before, setup.settings);
  const bool names_data = std::any_of(different.begin(), different.end(), [](const Difference& difference) {
    return difference.name == "--data";
  });
  const std::string changed = names_data ? "" : changed_source(saved, loader.identities());
  if (!changed.empty()) {
    different.push_back({"--data", changed + " as it was", changed + " as it is now, with other ids"});
  }
  if (different.empty()) return;
  if (!run_.resume_anyway) fail("{}", refusal(checkpoint_, different));
  fmt::print("{}\n", acceptance(different));
  note_["differs"] = as_json(different);
}

void RunFolder::resume(const TrainingState& state, CheckpointSetup setup) {
  state_.emplace(state);
  setup_.emplace(std::move(setup));
  if (run_.out.empty()) return;
  if (group_.is_master()) require_room_for_all(state.model.num_parameters());
  require_shared_folder();
  share_digests(state.loader, group_);
  if (!step_) {
    if (run_.resume)
      fmt::print("--resume: no checkpoint in {} yet; starting at step 0\n", printable_line(run_.out));
    return;
  }
  const json saved = verified();
  require_same_run(saved, *setup_, state.loader);
  load_checkpoint(checkpoint_, saved, state);
  fmt::print("{} {}\n", *step_ == steps_ ? "nothing left to do:" : "going on from",
             printable_line(checkpoint_));
  group_.barrier();  // all ranks have read it
  if (group_.is_master()) {
    for (const std::string& path : set_aside_after(run_.out, *step_))
      fmt::print("set aside: {}\n", printable_line(path));
  }
}

app::Log RunFolder::open_log(const std::string& path) const {
  if (!group_.is_master() || step_ == steps_) return app::Log("");
  if (run_.out.empty()) return app::Log(path);
  const std::string json = path.empty() ? run_.out + "/log.jsonl" : path, text = run_.out + "/log.txt";
  return step_ ? app::Log::resume(json, text, *step_, note_) : app::Log(json, text);
}

bool RunFolder::save_if_due(int64_t step, bool is_end, app::Log& log) const {
  const bool stops = is_end || app::stop_requested(group_);
  const bool is_due = step > 0 && run_.checkpoint_every > 0 && step % run_.checkpoint_every == 0;
  if (!run_.out.empty() && group_.is_master() && (is_due || stops) && step != step_) {
    // The log's event comes first: a power cut between the two leaves an event too many, which resuming removes, rather
    // than a checkpoint that the log does not know.
    const auto log_it = [&](const std::string& path) { log.checkpoint(step, path); };
    const Keep keep{run_.keep, run_.keep_every};
    fmt::print("saved {}\n", printable_line(save_checkpoint(run_.out, step, keep, *state_, *setup_, log_it)));
  }
  return stops;
}

}  // namespace gpt2::training
