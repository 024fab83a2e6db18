#include "common/training/checkpoint.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <span>
#include <utility>

#include "common/app/log_file.h"
#include "common/app/program.h"
#include "common/base/error.h"
#include "common/base/file.h"
#include "common/base/finite.h"
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

uint64_t write_optimizer(const optim::AdamW& optimizer, const std::string& path) {
  std::vector<SafetensorsEntry> entries;
  std::vector<std::vector<float>> values;  // on the host
  for (const auto& [name, block] : optimizer.blocks()) {
    require_finite(values.emplace_back(block.to_vector<float>()), "AdamW's " + name);
    entries.push_back({name, "F32", block.shape(), std::as_bytes(std::span(values.back())), ""});
  }
  return write_safetensors(path, entries);
}

void read_optimizer(const optim::AdamW& optimizer, const std::string& path) {
  const SafetensorsFile file(path);
  for (const auto& [name, block] : optimizer.blocks()) {
    const auto& entries = file.entries();
    const auto found =
        std::find_if(entries.begin(), entries.end(),
                     [name = name](const SafetensorsEntry& entry) { return entry.name == name; });
    require(found != entries.end() && found->shape == block.shape(), "{}: has no {} of shape {}", path, name,
            to_string(block.shape()));
    std::vector<float> values(size_t(block.numel()));
    read_finite(*found, values);
    copy_(block, from_vector(values, block.shape(), block.device()));
  }
}

// Removes what the checkpoint consists of, by its state.json. If there is more in the folder, somebody has put it there:
// it stays, in a folder of another name.
void remove_files(const fs::path& hidden, const std::string& name) {
  std::error_code ignored;
  const fs::path state = hidden / "state.json";
  const json saved =
      fs::is_regular_file(state, ignored) ? json::parse(MappedFile(state).text(), nullptr, false) : json();
  if (saved.is_object() && saved.contains("files") && saved["files"].is_object()) {
    for (const auto& file : saved["files"].items()) {
      if (fs::path(file.key()).filename() == file.key()) fs::remove(hidden / file.key(), ignored);
    }
    fs::remove(state, ignored);  // the last one: if the program is killed before, the next one goes on
  }
  if (fs::remove(hidden, ignored) || !fs::exists(hidden)) return;
  const std::string aside = app::unused_name(hidden.parent_path() / name);
  fs::rename(hidden, aside);
  app::write_output(
      fmt::format("kept: {} holds files that are not the checkpoint's\n", printable_line(aside)));
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

}  // namespace

namespace {

json contents_of(const std::vector<SourceIdentity>& sources) {
  json digests = json::array();
  for (const SourceIdentity& source : sources) digests.push_back(to_hex(source.content));
  return digests;
}

// Writes all files of a checkpoint into an empty folder.
void write_files(const fs::path& folder, int64_t step, const TrainingState& state,
                 const CheckpointSetup& setup) {
  std::map<std::string, uint64_t> digests = nn::save(state.model, setup.config, folder);
  for (const Tokenizer::File& file : setup.tokenizer.files()) {
    digests[file.name] = put_file(folder / file.name, file.text);
  }
  digests["optimizer.safetensors"] = write_optimizer(state.optimizer, folder / "optimizer.safetensors");
  const TokenLoader::State& place = state.loader.state();
  json text = {{"step", step},
               {"optimizer_steps", state.optimizer.steps()},
               {"epoch", place.epoch},
               {"position", place.position},
               {"settings", setup.settings},
               {"data", contents_of(state.loader.identities())},
               {"val_data", contents_of(setup.val_data)},
               {"log", setup.log}};
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

std::string save_checkpoint(const std::string& out, int64_t step, const Keep& keep,
                            const TrainingState& state, const CheckpointSetup& setup,
                            const std::function<void(const std::string& path)>& before_rename) {
  const std::string name = fmt::format("step_{:06}", step);
  const fs::path path = fs::path(out) / name;
  RemoveOnError temporary{fs::path(out) / fmt::format(".{}.tmp", name)};
  fs::remove_all(temporary.path);
  fs::create_directory(temporary.path);
  write_files(temporary.path, step, state, setup);
  if (before_rename) before_rename(path);
  std::error_code error;
  if (fs::symlink_status(path, error).type() != fs::file_type::not_found)
    app::write_output(fmt::format("set aside: {}\n", printable_line(set_aside(path))));
  fs::rename(temporary.path, path, error);
  require(!error, "{}: cannot be given its name: {}", path.string(), error.message());
  temporary.path.clear();
  sync_folder(out);
  remove_older(out, step, keep);
  return path;
}

int64_t load_checkpoint(const std::string& path, const json& saved, const TrainingState& state) {
  const std::string where = fs::path(path) / "state.json";
  nn::load(state.model, path);
  read_optimizer(state.optimizer, fs::path(path) / "optimizer.safetensors");
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
    if (name.ends_with(".tmp")) fs::remove_all(entry.path());
    if (name.ends_with(".old")) remove_files(entry.path(), checkpoint);
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
