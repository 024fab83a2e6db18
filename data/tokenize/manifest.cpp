#include "data/tokenize/manifest.h"

#include <filesystem>

#include "common/base/error.h"
#include "common/base/file.h"
#include "common/base/json.h"
#include "common/data/shards.h"

namespace gpt2 {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

void check_settings(const std::string& path, const json& found, const ordered_json& expected) {
  for (const auto& [key, value] : expected.items()) {
    const json before = found.contains(key) ? found.at(key) : json(), now = value;
    if (before == now) continue;
    fail("{}: {} was {} and is {} now; run with the same again, or name another --out or --prefix", path, key,
         escaped(before), escaped(now));
  }
}

[[noreturn]] void refuse(const std::string& path) {
  fail(
      "{}: not what tokenize writes; move it and the shards beside it away, or name another --out or "
      "--prefix",
      path);
}

int64_t integer(const json& value, int64_t low, int64_t high, const std::string& path) {
  const bool in_range = value.is_number_integer() && value >= low && value <= high;
  if (!in_range) refuse(path);
  return value.get<int64_t>();
}

bool boolean(const json& value, const std::string& path) {
  if (!value.is_boolean()) refuse(path);
  return value.get<bool>();
}

// Shards are numbered consecutively and full, except the last one of a finished corpus.
void check_shards(const std::string& path, const Manifest& manifest, const TokenizeOptions& options) {
  const auto& shards = manifest.shards;
  for (size_t i = 0; i < shards.size(); ++i) {
    const size_t number = i + (options.val_tokens == 0 ? 1 : 0);
    const int64_t full = number == 0 ? options.val_tokens : options.shard_tokens;
    const bool may_be_short = manifest.done && i + 1 == shards.size();
    if (shards[i].file != shard_name(options.prefix, number)) refuse(path);
    if (shards[i].tokens > full || (shards[i].tokens < full && !may_be_short)) refuse(path);
    const int64_t tokens = TokenShard(std::filesystem::path(options.out) / shards[i].file, 1 << 16).size();
    require(tokens == shards[i].tokens, "{}: {} has {} tokens, not {}; remove both to start over", path,
            shards[i].file, tokens, shards[i].tokens);
  }
}

json parse_manifest(const std::string& path) {
  json object = parse_json(read_text_file(path), path);
  if (!object.is_object() || !object.contains("settings") || !object["settings"].is_object()) refuse(path);
  return object;
}

}  // namespace

std::string manifest_path(const TokenizeOptions& options) {
  return std::filesystem::path(options.out) / (options.prefix + "_manifest.json");
}

std::string shard_name(const std::string& prefix, size_t number) {
  return fmt::format("{}_{}_{:06}.bin", prefix, number == 0 ? "val" : "train", number);
}

void write_manifest(const std::string& path, const Manifest& manifest) {
  ordered_json shards = ordered_json::array();
  for (const auto& shard : manifest.shards)
    shards.push_back({{"file", shard.file}, {"tokens", shard.tokens}});
  const Place& next = manifest.next;
  const ordered_json object = {{"settings", manifest.settings},
                               {"done", manifest.done},
                               {"next",
                                {{"file", next.file},
                                 {"offset", next.start.offset},
                                 {"line", next.start.line},
                                 {"begins_document", next.start.begins_document},
                                 {"skip", next.skip}}},
                               {"shards", shards}};
  AtomicFile file(path);
  file.write(object.dump(2) + "\n");
  file.commit();
}

int64_t val_tokens_in(const std::string& path) {
  return integer(parse_manifest(path)["settings"]["--val-tokens"], 0, INT32_MAX, path);
}

Manifest read_manifest(const std::string& path, const ordered_json& settings,
                       const TokenizeOptions& options) {
  constexpr int64_t kMany = int64_t{1} << 60;
  const json object = parse_manifest(path);
  Manifest manifest{.settings = settings, .shards = {}, .next = {}};
  check_settings(path, object.at("settings"), settings);
  try {
    if (!object.at("shards").is_array()) refuse(path);
    for (const json& shard : object.at("shards"))
      manifest.shards.push_back({shard.at("file"), integer(shard.at("tokens"), 1, INT32_MAX, path)});
    const json& next = object.at("next");
    manifest.next = {size_t(integer(next.at("file"), 0, int64_t(settings.at("files").size()), path)),
                     {integer(next.at("offset"), 0, kMany, path), integer(next.at("line"), 1, kMany, path),
                      boolean(next.at("begins_document"), path)},
                     integer(next.at("skip"), 0, kMany, path)};
    manifest.done = boolean(object.at("done"), path);
  } catch (const json::exception&) {
    refuse(path);
  }
  check_shards(path, manifest, options);
  return manifest;
}

}  // namespace gpt2
