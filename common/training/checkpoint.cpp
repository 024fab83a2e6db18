#include "common/training/checkpoint.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <span>
#include <utility>

#include "common/base/error.h"
#include "common/base/file.h"
#include "common/base/json.h"
#include "common/data/safetensors.h"
#include "common/nn/pretrained.h"

namespace gpt2::training {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

void put_file(const fs::path& path, std::string_view text) {
  AtomicFile file(path);
  file.write(text);
  file.commit();
}

// Removes a folder when it goes out of scope, unless it was renamed.
struct RemoveOnError {
  fs::path path;
  ~RemoveOnError() {
    std::error_code ignored;
    if (!path.empty()) fs::remove_all(path, ignored);
  }
};

void write_moments(const optim::AdamW& optimizer, const std::string& path) {
  const std::vector<float> first = optimizer.first_moment().to_vector<float>(),
                           second = optimizer.second_moment().to_vector<float>();
  const Shape shape = optimizer.first_moment().shape();
  const std::vector<SafetensorsEntry> entries = {
      {"first_moment", "F32", shape, std::as_bytes(std::span(first)), ""},
      {"second_moment", "F32", shape, std::as_bytes(std::span(second)), ""}};
  write_safetensors(path, entries);
}

void read_moments(const optim::AdamW& optimizer, const std::string& path) {
  const SafetensorsFile file(path);
  for (const auto& [name, moment] : {std::pair<std::string, Tensor>("first_moment", optimizer.first_moment()),
                                     {"second_moment", optimizer.second_moment()}}) {
    const auto& entries = file.entries();
    const auto found =
        std::find_if(entries.begin(), entries.end(),
                     [name = name](const SafetensorsEntry& entry) { return entry.name == name; });
    require(found != entries.end() && found->shape == moment.shape(), "{}: has no {} of shape {}", path, name,
            to_string(moment.shape()));
    std::vector<float> values(size_t(moment.numel()));
    read_finite(*found, values);
    copy_(moment, from_vector(values, moment.shape(), moment.device()));
  }
}

int64_t integer(const json& state, const char* key, const std::string& where) {
  require(state.is_object() && state.contains(key) && state[key].is_number_integer(), "{}: has no integer {}",
          where, key);
  return state[key].get<int64_t>();
}

// What may differ from the checkpoint without changing the course of the run.
bool is_free(const std::string& name) {
  constexpr std::array kFree = {"--log",
                                "--out",
                                "--resume",
                                "--count",
                                "--keep",
                                "--keep-every",
                                "--val-data",
                                "--val-every",
                                "--hellaswag",
                                "--hellaswag-every",
                                "--sample-every",
                                "--checkpoint-every",
                                "--rendezvous-port"};
  return std::find(kFree.begin(), kFree.end(), name) != kFree.end();
}

void require_same_settings(const json& before, const json& now, const std::string& where) {
  require(before.is_object(), "{}: has no settings", where);
  for (const auto& item : now.items()) {
    if (is_free(item.key())) continue;
    const json value = before.value(item.key(), json());
    if (value == item.value()) continue;
    fail("--resume: {} is {}, but {} in {}; give the same, or another --out", item.key(),
         escaped(item.value()), escaped(value), where);
  }
}

// Gone at once: nobody sees a checkpoint that is partly removed.
void remove_checkpoint(const fs::path& path) {
  const fs::path hidden = path.parent_path() / fmt::format(".{}.old", path.filename().string());
  fs::rename(path, hidden);
  fs::remove_all(hidden);
}

}  // namespace

std::string save_checkpoint(const std::string& out, int64_t step, const Keep& keep,
                            const TrainingState& state, const CheckpointSetup& setup) {
  const std::string name = fmt::format("step_{:06}", step);
  const fs::path path = fs::path(out) / name;
  RemoveOnError temporary{fs::path(out) / fmt::format(".{}.tmp", name)};
  fs::remove_all(temporary.path);
  fs::create_directory(temporary.path);
  nn::save(state.model, setup.config, temporary.path);
  for (const Tokenizer::File& file : setup.tokenizer.files()) put_file(temporary.path / file.name, file.text);
  write_moments(state.optimizer, temporary.path / "optimizer.safetensors");
  const TokenLoader::State& place = state.loader.state();
  const json text = {{"step", step},
                     {"optimizer_steps", state.optimizer.steps()},
                     {"epoch", place.epoch},
                     {"position", place.position},
                     {"settings", setup.settings}};
  const auto replace = json::error_handler_t::replace;  // of a path that is not UTF-8
  put_file(temporary.path / "state.json", text.dump(2, ' ', false, replace) + "\n");
  sync_folder(temporary.path);
  fs::rename(temporary.path, path);
  temporary.path.clear();
  sync_folder(out);
  const std::vector<std::string> all = checkpoints_in(out);
  for (size_t i = 0; i + size_t(keep.newest) < all.size(); ++i) {
    if (keep.every == 0 || *step_of(all[i]) % keep.every != 0) remove_checkpoint(all[i]);
  }
  return path;
}

int64_t load_checkpoint(const std::string& path, const TrainingState& state,
                        const nlohmann::ordered_json& settings) {
  const std::string where = fs::path(path) / "state.json";
  const json saved = parse_json(read_text_file(where), where);
  const int64_t step = integer(saved, "step", where);
  require_same_settings(saved.value("settings", json()), settings, where);
  nn::load(state.model, path);
  read_moments(state.optimizer, fs::path(path) / "optimizer.safetensors");
  state.optimizer.set_steps(integer(saved, "optimizer_steps", where));
  state.loader.restore({integer(saved, "epoch", where), integer(saved, "position", where)});
  return step;
}

void make_out(const std::string& out, bool resume) {
  std::error_code error;
  fs::create_directories(out, error);
  require(!error && fs::is_directory(out), "--out {}: {}; give a folder that can be made", out,
          error.message());
  require(resume || fs::is_empty(out), "--out {}: not empty; --resume goes on with what is there", out);
}

void remove_half_written(const std::string& out) {
  for (const auto& entry : fs::directory_iterator(out)) {
    if (entry.path().filename().string().starts_with(".step_")) fs::remove_all(entry.path());
  }
}

void require_room(const std::string& out, int64_t more, int64_t parameters) {
  const int64_t bytes = 3 * parameters * int64_t(sizeof(float)) + (int64_t{4} << 20);  // and the tokenizer
  const auto available = fs::space(out).available;
  require(available / uint64_t(bytes) >= uint64_t(more),
          "--out {}: {} checkpoints of {} MB more do not fit into the {} MB that are free; make room or "
          "lower --keep",
          out, more, bytes >> 20, available >> 20);
}

}  // namespace gpt2::training
