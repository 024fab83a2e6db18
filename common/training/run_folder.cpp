#include "common/training/run_folder.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <span>
#include <utility>

#include "common/app/interrupt.h"
#include "common/app/program.h"
#include "common/base/digest.h"
#include "common/base/error.h"
#include "common/base/file.h"
#include "common/dist/agreement.h"
#include "common/text/utf8.h"
#include "common/training/checkpoint_digests.h"
#include "common/training/resume.h"
#include "common/training/run_log.h"

namespace gpt2::training {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

// Adds up the digests of all ranks; each digest is 0 on all ranks but one.
void share(std::vector<uint64_t>& digests, const dist::ProcessGroup& group) {
  std::vector<double> halves;  // 32 bits each: a double represents them exactly
  for (const uint64_t digest : digests) {
    halves.push_back(double(digest >> 32));
    halves.push_back(double(digest & UINT32_MAX));
  }
  group.all_reduce(std::span(halves));
  for (size_t i = 0; i < digests.size(); ++i)
    digests[i] = uint64_t(halves[2 * i]) << 32 | uint64_t(halves[2 * i + 1]);
}

// Sends the digests of all sources' ids to all ranks: open_shards() has read each source on only one rank.
void share_digests(std::vector<SourceIdentity>& sources, const dist::ProcessGroup& group) {
  if (sources.empty()) return;
  std::vector<uint64_t> digests;
  for (size_t i = 0; i < sources.size(); ++i) {
    // The same division as in open_shards(). All ranks read a text; one of them sends its digest.
    digests.push_back(i % size_t(group.world_size()) == size_t(group.rank()) ? sources[i].content : 0);
  }
  share(digests, group);
  for (size_t i = 0; i < sources.size(); ++i) sources[i].content = digests[i];
}

void share_digests(TokenLoader& loader, const dist::ProcessGroup& group) {
  std::vector<SourceIdentity> sources = loader.identities();
  share_digests(sources, group);
  std::vector<uint64_t> digests;
  for (const SourceIdentity& source : sources) digests.push_back(source.content);
  loader.set_contents(digests);
}

// Adds the first source whose ids differ from those of the checkpoint's run, unless `flag` is among the differences.
void add_changed_source(std::vector<Difference>& differences, const std::string& flag, const json& before,
                        const std::vector<SourceIdentity>& sources) {
  if (std::any_of(differences.begin(), differences.end(),
                  [&](const auto& each) { return each.name == flag; }))
    return;
  for (size_t i = 0; i < sources.size() && i < before.size(); ++i) {
    if (before[i] == to_hex(sources[i].content)) continue;
    const std::string name = printable_line(sources[i].name);
    differences.push_back({flag, name + " as it was", name + " as it is now, with other ids"});
    return;
  }
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
    return fmt::format("--resume-from {} resumes from the newest older undamaged checkpoint",
                       fs::path(path).filename().string());
  }
  return fmt::format("no older checkpoint in {} is whole; start again with another --out", out);
}

// What follows is done by all ranks or by none.
void require_same_folder(const RunOptions& run, const dist::ProcessGroup& group) {
  dist::require_same_on_all_ranks(group, {{dist::kProgram, run.program},
                                          {"--out", full_path(run.out)},
                                          {"--resume", run.resume ? "on" : "off"}});
}

// Whether --resume-from, a name or a path, names this checkpoint of --out.
bool names(const std::string& given, const std::string& checkpoint) {
  fs::path path = given;
  if (!path.has_filename()) path = path.parent_path();  // a slash at the end
  if (!path.has_parent_path()) return path == fs::path(checkpoint).filename();
  std::error_code none;
  return fs::equivalent(path, checkpoint, none);
}

// What is left after an error while `step` was saved.
std::string after_an_error(const std::string& out, int64_t step) {
  if (!fs::is_directory(out)) return fmt::format("step {} is not saved", step);
  std::vector<std::string> checkpoints = checkpoints_in(out);
  std::erase_if(checkpoints, [step](const std::string& path) { return *step_of(path) > step; });
  if (checkpoints.empty()) return fmt::format("step {} is not saved, and there is no checkpoint yet", step);
  const std::string newest = fs::path(checkpoints.back()).filename();
  if (step_of(newest) == step) return fmt::format("step {} is saved", step);  // removing older ones failed
  return fmt::format("step {} is not saved; --resume-from {} goes on from the newest checkpoint", step,
                     newest);
}

// What would have no effect without --out.
void require_out(const RunOptions& run) {
  const char* flag = run.resume                      ? "--resume"
                     : run.checkpoint_every > 0      ? "--checkpoint-every"
                     : run.keep_every > 0            ? "--keep-every"
                     : run.keep != RunOptions().keep ? "--keep"
                                                     : nullptr;
  require(flag == nullptr, "{}: give the run's folder with --out", flag == nullptr ? "" : flag);
}

// --log must be neither a file that the run writes itself nor a file of another run.
void require_own_log(const std::string& path, const std::string& out) {
  std::error_code none;
  const fs::path file = full_path(path), folder = file.parent_path();
  if (folder == full_path(out)) {
    require(file.filename() != "log.txt" && file.filename() != "main.log" && !step_of(file),
            "--log {}: the run writes a file of this name itself; give another name", path);
  } else {
    require(!fs::exists(file, none) || checkpoints_in(folder).empty(),
            "--log {}: a file of the run in {}; give another name", path, folder.string());
  }
}

}  // namespace

RunFolder::Made::Made(const std::string& out) {
  std::error_code none;
  const fs::path whole = fs::absolute(out, none).lexically_normal();
  for (fs::path path = whole; !path.empty() && !fs::exists(path, none); path = path.parent_path()) {
    if (path.has_filename()) folders_.push_back(path);
  }
}

RunFolder::Made::~Made() {
  for (const std::string& folder : folders_) {
    if (::rmdir(folder.c_str()) != 0) return;  // it is not empty, or gone
  }
}

RunFolder::RunFolder(const RunOptions& run, int64_t steps, const dist::ProcessGroup& group)
    : run_(run), steps_(steps), group_(group) {
  require_same_folder(run, group);
  run_.resume = run.resume || run.resume_anyway || !run.resume_from.empty();
  if (run.out.empty()) {
    require_out(run_);
    return;
  }
  require(run.resume_from.empty() || fs::is_directory(run.out),
          "--resume-from {}: there is no folder {}; give the run's --out", run.resume_from, run.out);
  if (group.is_master()) {
    made_.emplace(run.out);
    make_out(run.out, run_.resume);
    lock_.emplace(run.out);
    remove_half_written(run.out);
  }
  group.barrier();
  choose_checkpoint();
}

RunFolder::Lock::Lock(const std::string& out)
    : folder_(open(out.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {
  require(folder_ >= 0, "--out {}: {}", out, std::strerror(errno));
  if (flock(folder_, LOCK_EX | LOCK_NB) == 0) return;
  close(folder_);
  fail("--out {}: another run is writing there", out);
}

RunFolder::Lock::~Lock() { close(folder_); }

bool RunFolder::Lock::holds(const std::string& out) const {
  struct stat locked {};
  struct stat there {};
  return fstat(folder_, &locked) == 0 && stat(out.c_str(), &there) == 0 && locked.st_dev == there.st_dev &&
         locked.st_ino == there.st_ino;
}

void RunFolder::choose_checkpoint() {
  const auto checkpoints = checkpoints_in(run_.out);
  const auto chosen =
      run_.resume_from.empty()
          ? checkpoints.end() - std::min<std::ptrdiff_t>(1, std::ssize(checkpoints))
          : std::find_if(checkpoints.begin(), checkpoints.end(),
                         [&](const std::string& path) { return names(run_.resume_from, path); });
  require(run_.resume_from.empty() || chosen != checkpoints.end(),
          "--resume-from {}: no such checkpoint in {}; the newest there is {}", run_.resume_from, run_.out,
          checkpoints.empty() ? "none" : fs::path(checkpoints.back()).filename().string());
  if (chosen == checkpoints.end()) return;
  checkpoint_ = *chosen;
  step_ = step_of(checkpoint_);
  require_not_beyond(checkpoint_, *step_, steps_);
}

void RunFolder::require_room_for_all(int64_t parameters) const {
  const int64_t left = steps_ - step_.value_or(0);
  const int64_t written = run_.checkpoint_every > 0 ? left / run_.checkpoint_every + 1 : 1;
  const int64_t stay = run_.keep_every > 0 ? left / run_.keep_every : 0;
  const int64_t here = int64_t(checkpoints_in(run_.out).size());
  // One more than are kept: the oldest is removed after the newest is written.
  require_room(run_.out, std::min(written, std::max<int64_t>(run_.keep + 1 - here, 1)) + stay, parameters);
}

void RunFolder::require_shared_folder() const {
  std::array<double, 2> sum = {step_ ? 1.0 : 0.0, double(step_.value_or(0))};
  group_.all_reduce(std::span(sum));
  const bool all_see_it = sum[0] == (step_ ? group_.world_size() : 0) &&
                          sum[1] == double(step_.value_or(0)) * group_.world_size();
  require(all_see_it, "--out {}: not the same on all ranks; it must be one folder shared by all machines",
          run_.out);
}

OpenCheckpoint RunFolder::opened() const {
  std::optional<OpenCheckpoint> opened;
  try {
    opened.emplace(open_checkpoint(checkpoint_));
  } catch (const Error& error) {
    fail("{}; {}", error.what(), advice(run_.out, *step_));
  }
  require(has_digests(opened->state) || run_.resume_anyway,
          "{}/state.json: no digests, so that damage would not be noticed (an older program wrote it); "
          "--resume-anyway "
          "goes on without comparing files, settings and data",
          checkpoint_);
  return std::move(*opened);
}

void RunFolder::require_same_run(const json& saved, const TokenLoader& loader) {
  note_ = {{"step", *step_}, {"checkpoint", fs::path(checkpoint_).filename().string()}};
  const json before = saved.value("settings", json::object());
  if (!has_digests(saved)) {
    fmt::print("--resume-anyway: {} has no digests; its files, settings and data were not compared\n",
               checkpoint_);
    note_["compared"] = false;
    return;
  }
  RunSettings& now = setup_->settings;
  if (now["weights"] == kOwnWeights) now["weights"] = before.value("weights", json());
  keep_measured(before, now);
  const std::string schedule = change_of_schedule(checkpoint_, *step_, before, now, run_.resume_anyway);
  if (!schedule.empty()) {
    fmt::print("{}\n", schedule);
    note_["schedule"] = schedule;
  }
  std::vector<Difference> different = differences(before, now);
  add_changed_source(different, "--data", saved.value("data", json::array()), loader.identities());
  add_changed_source(different, "--val-data", saved.value("val_data", json::array()), setup_->val_data);
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
  share_digests(setup_->val_data, group_);
  if (!step_) return;
  const OpenCheckpoint saved = opened();
  saved_log_ = saved.state.value("log", json());
  saved_recent_ = saved.state.value("recent", json());
  require_same_run(saved.state, state.loader);
  load_checkpoint(saved, state);
  group_.barrier();  // all ranks have read it
}

Outliers& RunFolder::watch(double loss_limit, double norm_limit) {
  outliers_.emplace(loss_limit, norm_limit);
  if (saved_recent_.is_object()) {
    const auto values = [&](const char* key) { return saved_recent_.value(key, std::vector<double>()); };
    outliers_->restore({values("losses"), values("norms")});
  }
  state_->outliers = &*outliers_;
  return *outliers_;
}

app::Log RunFolder::open_log(const std::string& path) const {
  if (!group_.is_master()) return app::Log("");
  if (run_.out.empty()) return app::Log(path);
  if (!path.empty()) require_own_log(path, run_.out);
  const LogPaths paths{path.empty() ? run_.out + "/log.jsonl" : path, run_.out + "/log.txt",
                       run_.out + "/main.log"};
  const bool is_done = step_ == steps_;
  ResumedLog resumed;
  if (step_ && !is_done) {
    const ResumePoint point{checkpoint_, *step_, !run_.resume_from.empty(), run_.resume_anyway};
    resumed = log_up_to(paths, point, saved_log_);
  } else if (!step_ && run_.resume) {
    resumed = log_from_start(paths, run_.out);
    resumed.notes = {fmt::format("--resume: no checkpoint in {} yet; starting at step 0", run_.out)};
  }
  std::vector<std::string> aside;
  for (const std::string& replaced : resumed.replaced) aside.push_back(app::keep_aside(replaced));
  if (step_) {
    for (std::string& later : set_aside_after(run_.out, *step_)) aside.push_back(std::move(later));
  }
  for (const std::string& note : resumed.notes) fmt::print("{}\n", printable_line(note));
  for (const std::string& name : aside) fmt::print("set aside: {}\n", printable_line(name));
  if (step_)
    fmt::print("{} {}\n", is_done ? "nothing left to do:" : "going on from", printable_line(checkpoint_));
  if (is_done) return app::Log("");
  return run_.resume ? app::Log::resume(paths.json, paths.text, paths.llmc, resumed.contents, note_)
                     : app::Log(paths.json, paths.text, paths.llmc);
}

// Each rank that keeps a part of the state writes it. All ranks get all digests.
std::map<std::string, uint64_t> RunFolder::write_optimizer(const std::string& folder) const {
  const optim::AdamW& optimizer = state_->optimizer;
  const int rank = optimizer.partition().rank(), ranks = optimizer.partition().world_size();
  if (ranks > 1) group_.barrier();  // rank 0 has made the folder
  const fs::path path = fs::path(folder) / optimizer_file(rank, ranks);
  const uint64_t digest = training::write_optimizer(optimizer, path);
  if (ranks == 1) return {{path.filename(), digest}};
  std::vector<uint64_t> digests(static_cast<size_t>(ranks));
  digests[size_t(rank)] = digest;
  share(digests, group_);
  std::map<std::string, uint64_t> files;
  for (int each = 0; each < ranks; ++each) files[optimizer_file(each, ranks)] = digests[size_t(each)];
  return files;
}

void RunFolder::save(int64_t step, app::Log& log) const {
  if (!group_.is_master()) {
    if (state_->optimizer.partition().world_size() > 1) write_optimizer(half_written(run_.out, step));
    return;
  }
  CheckpointSetup setup = *setup_;
  // The log's event is written first. After a power cut between the two writes, the log has one event too
  // many, which resuming removes. In the other order a checkpoint could be missing from the log.
  const auto log_it = [&](const std::string& path) { log.checkpoint(step, path); };
  try {
    require(lock_->holds(run_.out), "--out {}: moved, deleted or replaced during the run; put it back",
            run_.out);
    log.sync();
    setup.log = log.extents();
    const std::string path =
        save_checkpoint(run_.out, step, {run_.keep, run_.keep_every}, *state_, setup, log_it,
                        [this](const std::string& folder) { return write_optimizer(folder); });
    app::write_output(fmt::format("saved {}\n", printable_line(path)));
  } catch (const Error& error) {
    fail("{}; {}", error.what(), after_an_error(run_.out, step));
  } catch (const fs::filesystem_error& error) {
    fail("{}: {}; {}", error.path1().string(), error.code().message(), after_an_error(run_.out, step));
  }
}

bool RunFolder::save_if_due(int64_t step, bool is_end, app::Log& log) const {
  const bool stops = is_end || app::stop_requested(group_);
  const bool is_due = step > 0 && run_.checkpoint_every > 0 && step % run_.checkpoint_every == 0;
  if (!run_.out.empty() && (is_due || stops) && step != step_) {
    save(step, log);
    if (stops && group_.is_master())
      app::add_to_stop_error(fmt::format("; step {} is saved, --resume goes on from it", step));
  }
  return stops;
}

}  // namespace gpt2::training
