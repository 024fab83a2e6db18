#include "common/training/checkpoint.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

#include "common/app/log_file.h"
#include "common/app/program.h"
#include "common/base/digest.h"
#include "common/base/error.h"
#include "common/base/file.h"
#include "common/data/safetensors.h"
#include "common/nn/pretrained.h"
#include "common/text/utf8.h"
#include "common/training/checkpoint_digests.h"

namespace gpt2::training {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

uint64_t put_file(const fs::path& path, std::string_view text) {
  AtomicFile file(path);
  file.write(text);
  return file.commit();
}

// Removes a folder when it goes out of scope, unless it was renamed.
struct RemoveOnError {
  fs::path path;
  ~RemoveOnError() {
    std::error_code ignored;
    if (!path.empty()) fs::remove_all(path, ignored);
  }
};

// Whether somebody changed the checkpoint. state.json was written last, so an older file need not be read.
bool is_edited(const fs::path& checkpoint, const json& saved) {
  if (!has_digests(saved)) return false;
  const auto written = fs::last_write_time(checkpoint / "state.json");
  const FileDigests digests = nn::digests_of(saved);
  return !is_as_written(saved) || std::any_of(digests.begin(), digests.end(), [&](const auto& each) {
    const fs::path file = checkpoint / each.first;
    return fs::is_regular_file(file) && fs::last_write_time(file) > written &&
           to_hex(digest_of_file(file)) != each.second;
  });
}

// Removes what the checkpoint consists of, by its state.json. If there is more in the folder, or if a file was changed,
// somebody has done that: the rest, or all of it, stays in a folder of another name.
void remove_files(const fs::path& hidden, const std::string& name) {
  std::error_code ignored;
  const fs::path state = hidden / "state.json";
  const json saved =
      fs::is_regular_file(state, ignored) ? json::parse(read_text_file(state), nullptr, false) : json();
  if (saved.is_object() && saved.contains("files") && !is_edited(hidden, saved)) {
    for (const auto& file : nn::digests_of(saved)) {
      if (fs::path(file.first).filename() == file.first) fs::remove(hidden / file.first, ignored);
    }
    fs::remove(state, ignored);  // the last one: if the program is killed before, the next one goes on
  }
  if (fs::remove(hidden, ignored) || !fs::exists(hidden)) return;
  const std::string aside = app::unused_name(hidden.parent_path() / name);
  fs::rename(hidden, aside);
  app::write_output(
      fmt::format("kept: {} holds files that are not as the run wrote them\n", printable_line(aside)));
}

// Renames the folder before removing it, so that no half-removed checkpoint is visible.
void remove_checkpoint(const fs::path& path) {
  if (fs::is_symlink(path)) {  // the checkpoint lies elsewhere, and may be another run's
    fs::remove(path);
    return;
  }
  const std::string name = path.filename();
  const fs::path hidden = path.parent_path() / fmt::format(".{}.old", name);
  fs::rename(path, hidden);
  remove_files(hidden, name);
}

// Whether a folder holds nothing but files of write_files(), complete or not.
bool is_half_written(const fs::path& folder) {
  constexpr std::array kFiles = {"config.json", "model.safetensors", "vocab.json",
                                 "merges.txt",  "added_tokens.json", "state.json"};
  if (!fs::is_directory(fs::symlink_status(folder))) return false;
  return std::all_of(fs::directory_iterator(folder), fs::directory_iterator(), [&](const auto& entry) {
    const std::string name = entry.path().filename(), file = name.substr(0, name.find(".tmp."));
    return entry.is_regular_file() &&
           (is_optimizer_file(file) || std::find(kFiles.begin(), kFiles.end(), file) != kFiles.end());
  });
}

void note_set_aside(const fs::path& path) {
  app::write_output(fmt::format("set aside: {}\n", printable_line(set_aside(path))));
}

// Removes what a killed run left under this name; anything else is set aside.
void remove_temporary(const fs::path& path) {
  if (is_half_written(path)) {
    fs::remove_all(path);
  } else if (fs::exists(fs::symlink_status(path))) {
    note_set_aside(path);
  }
}

json contents_of(const std::vector<SourceIdentity>& sources) {
  json digests = json::array();
  for (const SourceIdentity& source : sources) digests.push_back(to_hex(source.content));
  return digests;
}

// Writes all files of a checkpoint into an empty folder.
void write_files(const fs::path& folder, int64_t step, const TrainingState& state,
                 const CheckpointSetup& setup, const WriteOptimizer& write_all) {
  std::map<std::string, uint64_t> digests = nn::save(state.model, setup.config, folder);
  for (const Tokenizer::File& file : setup.tokenizer.files()) {
    digests[file.name] = put_file(folder / file.name, file.text);
  }
  if (write_all) {
    digests.merge(write_all(folder));
  } else {
    digests[optimizer_file(0, 1)] = write_optimizer(state.optimizer, folder / optimizer_file(0, 1));
  }
  const TokenLoader::State& place = state.loader.state();
  json text = {{"step", step},
               {"optimizer_steps", state.optimizer.steps()},
               {"epoch", place.epoch},
               {"position", place.position},
               {"settings", setup.settings},
               {"data", contents_of(state.loader.identities())},
               {"val_data", contents_of(setup.val_data)},
               {"log", setup.log}};
  if (state.outliers != nullptr && state.outliers->watches()) {
    const Outliers::Recent recent = state.outliers->recent();
    text["recent"] = {{"losses", recent.losses}, {"norms", recent.norms}};
  }
  add_digests(text, digests);
  put_file(folder / "state.json", text.dump(2) + "\n");
  sync_folder(folder);
}

// Removes older checkpoints only: one that is newer than the checkpoint just written belongs to another
// branch of the run.
void remove_older(const std::string& out, int64_t step, const Keep& keep) {
  std::vector<std::string> older = checkpoints_in(out);
  std::erase_if(older, [step](const std::string& path) { return *step_of(path) >= step; });
  for (size_t i = 0; i + size_t(keep.newest) <= older.size(); ++i) {
    if (keep.every == 0 || *step_of(older[i]) % keep.every != 0) remove_checkpoint(older[i]);
  }
}

}  // namespace

std::string half_written(const std::string& out, int64_t step) {
  return fs::path(out) / fmt::format(".step_{:06}.tmp", step);
}

std::string save_checkpoint(const std::string& out, int64_t step, const Keep& keep,
                            const TrainingState& state, const CheckpointSetup& setup,
                            const std::function<void(const std::string& path)>& before_rename,
                            const WriteOptimizer& write_all) {
  const fs::path path = fs::path(out) / fmt::format("step_{:06}", step);
  RemoveOnError temporary{half_written(out, step)};
  remove_temporary(temporary.path);
  fs::create_directory(temporary.path);
  write_files(temporary.path, step, state, setup, write_all);
  if (before_rename) before_rename(path);
  std::error_code error;
  if (fs::symlink_status(path, error).type() != fs::file_type::not_found) note_set_aside(path);
  fs::rename(temporary.path, path, error);
  require(!error, "{}: cannot be given its name: {}", path.string(), error.message());
  temporary.path.clear();
  sync_folder(out);
  remove_older(out, step, keep);
  return path;
}

OpenCheckpoint open_checkpoint(const std::string& path) {
  json state = read_state(path);
  const FileDigests digests = nn::digests_of(state);
  for (const auto& each : digests) {  // the large ones are compared when they are opened
    const fs::path file = fs::path(path) / each.first;
    if (file.extension() != ".safetensors") require_digest(digests, file, digest_of_file(file));
  }
  nn::OpenModel model = nn::open_model(path, digests);
  std::vector<SafetensorsFile> optimizer;
  for (const auto& each : digests) {
    if (is_optimizer_file(each.first)) optimizer.emplace_back(fs::path(path) / each.first, digests);
  }
  if (digests.empty()) optimizer.emplace_back(fs::path(path) / optimizer_file(0, 1));
  require_one_step(path, state);
  return {path, std::move(state), std::move(model), std::move(optimizer)};
}

int64_t load_checkpoint(const OpenCheckpoint& checkpoint, const TrainingState& state) {
  const json& saved = checkpoint.state;
  const std::string where = fs::path(checkpoint.path) / "state.json";
  nn::load(state.model, checkpoint.model);
  read_optimizer(state.optimizer, checkpoint.optimizer, checkpoint.path);
  state.optimizer.set_steps(integer(saved, "optimizer_steps", where));
  state.loader.restore({integer(saved, "epoch", where), integer(saved, "position", where)});
  return integer(saved, "step", where);
}

std::string set_aside(const std::string& path) {
  const std::string aside = app::unused_name(path);
  std::error_code error;
  fs::rename(path, aside, error);
  require(!error, "{}: cannot be renamed to {}: {}", path, aside, error.message());
  return aside;
}

std::vector<std::string> set_aside_after(const std::string& out, int64_t step) {
  std::vector<std::string> later, moved;
  for (const auto& entry : fs::directory_iterator(out)) {
    if (step_of(entry.path()).value_or(step) > step) later.push_back(entry.path());
  }
  for (const std::string& path : later) moved.push_back(set_aside(path));
  return moved;
}

void make_out(const std::string& out, bool resume) {
  std::error_code error;
  require(!fs::is_symlink(out) || fs::exists(out), "--out {}: a link to {}, which does not exist", out,
          fs::is_symlink(out) ? fs::read_symlink(out).string() : "");
  fs::create_directories(out, error);
  require(!error && fs::is_directory(out), "--out {}: {}; give a folder that can be made", out,
          error.message());
  require(resume || fs::is_empty(out), "--out {}: not empty; --resume continues the run in it", out);
  // Checked here, because a read-only disk also reports no free space, and that message would mislead.
  const bool is_writable = access(out.c_str(), W_OK | X_OK) == 0;
  require(is_writable, "--out {}: cannot write there: {}; give another folder", out, std::strerror(errno));
}

void remove_half_written(const std::string& out) {
  for (const auto& entry : fs::directory_iterator(out)) {
    const std::string name = entry.path().filename();
    if (!name.starts_with(".") || name.size() < 5) continue;
    const std::string checkpoint = name.substr(1, name.size() - 5);
    if (!step_of(checkpoint)) continue;
    if (name.ends_with(".tmp")) remove_temporary(entry.path());
    if (name.ends_with(".old") && fs::is_directory(entry.symlink_status()))
      remove_files(entry.path(), checkpoint);
  }
}

void require_room(const std::string& out, int64_t more, int64_t parameters) {
  const int64_t bytes = 3 * parameters * int64_t(sizeof(float)) + (int64_t{4} << 20);  // plus the tokenizer
  const auto available = fs::space(out).available;
  require(available / uint64_t(bytes) >= uint64_t(more),
          "--out {}: {} checkpoints of {} MB more do not fit into the {} MB that are free; make room or "
          "lower --keep",
          out, more, bytes >> 20, available >> 20);
}

}  // namespace gpt2::training
