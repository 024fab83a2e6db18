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

void check_shards(const std::string& path, const std::vector<Manifest::Shard>& shards) {
  for (const Manifest::Shard& shard : shards) {
    const std::string file = std::filesystem::path(path).parent_path() / shard.file;
    const int64_t tokens = TokenShard(file, 1 << 16).size();
    require(tokens == shard.tokens, "{}: {} has {} tokens, not {}; remove both to start over", path,
            shard.file, tokens, shard.tokens);
  }
}

}  // namespace

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

Manifest read_manifest(const std::string& path, const ordered_json& settings) {
  const json object = parse_json(read_text_file(path), path);
  Manifest manifest{.settings = settings, .shards = {}, .next = {}};
  try {
    check_settings(path, object.at("settings"), settings);
    for (const json& shard : object.at("shards"))
      manifest.shards.push_back({shard.at("file"), shard.at("tokens")});
    const json& next = object.at("next");
    manifest.next = {
        next.at("file"), {next.at("offset"), next.at("line"), next.at("begins_document")}, next.at("skip")};
    manifest.done = object.at("done");
  } catch (const json::exception&) {
    fail("{}: not a manifest of tokenize; remove it and the shards beside it to start over", path);
  }
  check_shards(path, manifest.shards);
  return manifest;
}

}  // namespace gpt2
