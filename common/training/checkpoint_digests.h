// The digests of a checkpoint: state.json holds the digest of every other file, and a digest of its own
// content.
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

// Adds "files" and "digest" to the content of state.json.
void add_digests(nlohmann::json& state, const std::map<std::string, uint64_t>& files);

// Returns the content of a checkpoint's state.json after comparing it with its own digest. Throws if they differ, or if a
// file was added that would be read.
nlohmann::json read_state(const std::string& checkpoint);

// Throws unless the checkpoint's step is that of its optimizer and of the folder's name.
void require_one_step(const std::string& checkpoint, const nlohmann::json& state);

// The same as read_state() after comparing all files with their digests, and the steps. Throws if one differs; the
// message names the file.
nlohmann::json verified_state(const std::string& checkpoint);

// Returns false for a checkpoint from before digests were introduced; for it verified_state() compares only
// the steps.
bool has_digests(const nlohmann::json& state);

// Whether the content of state.json has the digest that it was written with.
bool is_as_written(const nlohmann::json& state);

// Returns state[key]. Throws unless it is an integer; the message begins with `where`.
int64_t integer(const nlohmann::json& state, const char* key, const std::string& where);

}  // namespace gpt2::training
