#include "common/training/checkpoint_digests.h"

#include <filesystem>

#include "common/base/digest.h"
#include "common/base/error.h"
#include "common/base/file.h"
#include "common/base/json.h"
#include "common/training/checkpoint.h"

namespace gpt2::training {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

// The digest of everything in state.json except "digest": keys sorted by name, numbers in JSON's form.
std::string digest_of_whole(json state) {
  state.erase("digest");
  return to_hex(digest_of(state.dump()));
}

void require_as_written(const fs::path& checkpoint, const json& state, const std::string& where) {
  require(is_as_written(state), "{}: it was changed after it was written", where);
  const FileDigests digests = nn::digests_of(state);
  require(!digests.empty(), "{}: has no digests of the files", where);
  nn::require_no_others(checkpoint, digests);
}

}  // namespace

void add_digests(json& state, const std::map<std::string, uint64_t>& files) {
  for (const auto& [name, digest] : files) state["files"][name] = to_hex(digest);
  state["digest"] = digest_of_whole(state);
}

bool has_digests(const json& state) { return state.contains("digest") || state.contains("files"); }

int64_t integer(const json& state, const char* key, const std::string& where) {
  require(state.is_object() && state.contains(key) && state[key].is_number_integer(), "{}: has no integer {}",
          where, key);
  return state[key].get<int64_t>();
}

bool is_as_written(const json& state) { return state.value("digest", json()) == digest_of_whole(state); }

void require_one_step(const std::string& checkpoint, const json& state) {
  const std::string where = fs::path(checkpoint) / "state.json";
  const int64_t step = integer(state, "step", where), updates = integer(state, "optimizer_steps", where);
  require(step == updates, "{}: step is {}, but optimizer_steps {}", where, step, updates);
  require(step_of(checkpoint) == step, "{}: step is {}, which differs from the folder's name", where, step);
}

json read_state(const std::string& checkpoint) {
  const std::string where = fs::path(checkpoint) / "state.json";
  json state = parse_json(read_text_file(where), where);
  require(state.is_object(), "{}: not a JSON object", where);
  if (has_digests(state)) require_as_written(checkpoint, state, where);
  return state;
}

json verified_state(const std::string& checkpoint) {
  json state = read_state(checkpoint);
  const FileDigests digests = nn::digests_of(state);
  for (const auto& each : digests) {
    const fs::path path = fs::path(checkpoint) / each.first;
    require_digest(digests, path, digest_of_file(path));
  }
  require_one_step(checkpoint, state);
  return state;
}

}  // namespace gpt2::training
