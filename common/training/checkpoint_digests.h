// The identity of a checkpoint: state.json holds a digest of every other file and, over its own content, of the whole.
//
//   "files": {"config.json": "0123456789abcdef", "model.safetensors": ...}, "digest": "..."
//
// Damage (a flipped bit, a file of another checkpoint, an edited number) is found before anything is restored.
//
// since 13_fineweb
#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <string>

namespace gpt2::training {

// Adds "files" and "digest" to what state.json will hold.
void add_digests(nlohmann::json& state, const std::map<std::string, uint64_t>& files);

// The content of a checkpoint's state.json, after all files were compared with their digests, and the step with the
// folder's name. Throws if anything does not agree; the message names the file.
nlohmann::json verified_state(const std::string& checkpoint);

// False for a checkpoint of the time before digests, of which verified_state() compares the steps alone.
bool has_digests(const nlohmann::json& state);

// state[key]; throws unless it is an integer. `where` begins the message.
int64_t integer(const nlohmann::json& state, const char* key, const std::string& where);

}  // namespace gpt2::training
