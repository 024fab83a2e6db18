#include "data/tokenize/manifest.h"

#include <algorithm>
#include <charconv>
#include <filesystem>

#include "common/base/digest.h"
#include "common/base/error.h"
#include "common/base/file.h"
#include "common/base/json.h"
#include "common/text/utf8.h"

namespace gpt2 {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

[[noreturn]] void refuse(const std::string& path) {
  fail(
      "{}: damaged, edited or of another version of tokenize; move it and the shards beside it away, or name "
      "another --out or --prefix",
      path);
}

void check_setting(const std::string& path, const std::string& key, const json& before, const json& now) {
  if (before == now) return;
  fail("{}: {} was {} and is {} now; run with the same again, or name another --out or --prefix", path, key,
       escaped(before), escaped(now));
}

void check_settings(const std::string& path, const json& found, const ordered_json& expected) {
  const json before = found.value("files", json()), now = expected.at("files");
  if (!before.is_array()) refuse(path);
  check_setting(path, "the number of files", before.size(), now.size());
  for (size_t i = 0; i < now.size(); ++i)
    check_setting(path, fmt::format("file {}", i + 1), before[i], now[i]);
  for (const auto& [key, value] : expected.items()) check_setting(path, key, found.value(key, json()), value);
}

// The digest of a manifest's content, without that digest itself.
std::string seal_of(json manifest) {
  manifest.erase("digest");
  return to_hex(digest_of(manifest.dump()));
}

int64_t integer(const json& value, int64_t low, int64_t high, const std::string& path) {
  const bool in_range = value.is_number_integer() && value >= low && value <= high;
  if (!in_range) refuse(path);
  return value.get<int64_t>();
}

Manifest::Shard shard(const json& value, const std::string& name, const std::string& path) {
  if (value.at("file") != printable_line(name) || !value.at("digest").is_string()) refuse(path);
  const std::string digest = value.at("digest");
  Manifest::Shard shard{name, integer(value.at("tokens"), 1, INT32_MAX, path)};
  const auto [end, error] = std::from_chars(digest.data(), digest.data() + digest.size(), shard.digest, 16);
  if (error != std::errc() || to_hex(shard.digest) != digest) refuse(path);
  return shard;
}

bool boolean(const json& value, const std::string& path) {
  if (!value.is_boolean()) refuse(path);
  return value.get<bool>();
}

// Shards are full, except the last one of a finished corpus.
void check_shards(const std::string& path, const Manifest& manifest, const TokenizeOptions& options) {
  const auto& shards = manifest.shards;
  for (size_t i = 0; i < shards.size(); ++i) {
    const size_t number = i + (options.val_tokens == 0 ? 1 : 0);
    const int64_t full = number == 0 ? options.val_tokens : options.shard_tokens;
    const bool may_be_short = manifest.done && i + 1 == shards.size();
    if (shards[i].tokens > full || (shards[i].tokens < full && !may_be_short)) refuse(path);
    const std::string file = std::filesystem::path(options.out) / shards[i].file;
    require(digest_of_file(file) == shards[i].digest,
            "{}: changed since tokenize wrote it; move {} and the shards beside it away to start over", file,
            path);
  }
}

json parse_manifest(const std::string& path) {
  json object = parse_json(read_text_file(path), path);
  const bool is_ours = object.is_object() && object.contains("settings") && object["settings"].is_object() &&
                       object.value("digest", json()) == seal_of(object);
  if (!is_ours) refuse(path);
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
    shards.push_back(
        {{"file", printable_line(shard.file)}, {"tokens", shard.tokens}, {"digest", to_hex(shard.digest)}});
  const Place& next = manifest.next;
  ordered_json object = {{"settings", manifest.settings},
                         {"done", manifest.done},
                         {"next",
                          {{"file", next.file},
                           {"offset", next.start.offset},
                           {"line", next.start.line},
                           {"begins_document", next.start.begins_document},
                           {"skip", next.skip}}},
                         {"shards", shards}};
  object["digest"] = seal_of(object);
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
    for (const json& value : object.at("shards")) {
      const size_t number = manifest.shards.size() + (options.val_tokens == 0 ? 1 : 0);
      manifest.shards.push_back(shard(value, shard_name(options.prefix, number), path));
    }
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
