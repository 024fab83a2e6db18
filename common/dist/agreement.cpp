#include "common/dist/agreement.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <map>
#include <span>

#include "common/base/digest.h"
#include "common/base/error.h"

namespace gpt2::dist {
namespace {

// Names and values as one text, in which no two lists of settings are alike.
std::string serialize(const Settings& settings) {
  std::string text;
  for (const auto& [name, value] : settings)
    text += fmt::format("{} {} {}{}", name.size(), value.size(), name, value);
  return text;
}

Settings deserialize(const std::string& text) {
  Settings settings;
  for (size_t at = 0; at < text.size();) {
    size_t used = 0;
    const size_t name = std::stoul(text.substr(at, 32), &used), begin_of_value = at + used + 1;
    const size_t value = std::stoul(text.substr(begin_of_value, 32), &used);
    at = begin_of_value + used + 1;
    settings.emplace_back(text.substr(at, name), text.substr(at + name, value));
    at += name + value;
  }
  return settings;
}

// Adds up over all ranks, as many values as there are.
void all_reduce(const ProcessGroup& group, std::vector<double>& values) {
  constexpr size_t kAtOnce = 1024;  // NcclTransport takes no more
  for (size_t at = 0; at < values.size(); at += kAtOnce) {
    group.all_reduce(std::span(values).subspan(at, std::min(kAtOnce, values.size() - at)));
  }
}

constexpr size_t kBytes = 4;  // of a text in one double, whose sum with zeros is exact

// The texts of all ranks, on every rank.
std::vector<std::string> gather(const ProcessGroup& group, const std::string& text) {
  const size_t rank = size_t(group.rank());
  std::vector<double> sizes(size_t(group.world_size()));
  sizes[rank] = double(text.size());
  all_reduce(group, sizes);
  std::vector<std::string> texts;
  std::vector<size_t> begin{0};  // of each rank's values
  for (const double size : sizes) {
    texts.emplace_back(size_t(size), '\0');
    begin.push_back(begin.back() + (size_t(size) + kBytes - 1) / kBytes);
  }
  std::vector<double> values(begin.back());
  for (size_t at = 0; at < text.size(); at += kBytes) {
    uint32_t bytes = 0;
    std::memcpy(&bytes, text.data() + at, std::min(kBytes, text.size() - at));
    values[begin[rank] + at / kBytes] = bytes;
  }
  all_reduce(group, values);
  for (size_t i = 0; i < texts.size(); ++i) {
    for (size_t at = 0; at < texts[i].size(); at += kBytes) {
      const auto bytes = uint32_t(values[begin[i] + at / kBytes]);
      std::memcpy(texts[i].data() + at, &bytes, std::min(kBytes, texts[i].size() - at));
    }
  }
  return texts;
}

// Whether all ranks have this text.
bool is_everywhere(const ProcessGroup& group, const std::string& text) {
  const uint64_t digest = digest_of(text);
  const std::array<double, 2> mine = {double(digest >> 32), double(uint32_t(digest))};
  std::array<double, 2> theirs = group.is_master() ? mine : std::array<double, 2>{};
  group.all_reduce(std::span(theirs));
  double different = theirs == mine ? 0 : 1;
  group.all_reduce(std::span(&different, 1));
  return different == 0;
}

// rank 3; ranks 0-2, 5
std::string name_of(const std::vector<size_t>& ranks) {
  std::vector<std::string> runs;
  for (size_t i = 0; i < ranks.size();) {
    size_t end = i + 1;
    while (end < ranks.size() && ranks[end] == ranks[end - 1] + 1) ++end;
    runs.push_back(end - i == 1 ? std::to_string(ranks[i]) : fmt::format("{}-{}", ranks[i], ranks[end - 1]));
    i = end;
  }
  return fmt::format("{} {}", ranks.size() == 1 ? "rank" : "ranks", fmt::join(runs, ", "));
}

// --max-lr is 0.001 on rank 0, 0.0001 on rank 1
std::string difference_in(const std::string& name, const std::vector<std::string>& values) {
  constexpr size_t kMostValues = 4, kLongest = 120;
  std::vector<std::pair<std::string, std::vector<size_t>>>
      groups;  // value -> ranks, in the order of the ranks
  for (size_t rank = 0; rank < values.size(); ++rank) {
    auto found =
        std::find_if(groups.begin(), groups.end(), [&](const auto& g) { return g.first == values[rank]; });
    if (found == groups.end()) found = groups.insert(found, {values[rank], {}});
    found->second.push_back(rank);
  }
  std::vector<std::string> parts;
  for (size_t i = 0; i < std::min(groups.size(), kMostValues); ++i) {
    const auto& [value, ranks] = groups[i];
    const std::string shown = value.empty()             ? "not given"
                              : value.size() > kLongest ? value.substr(0, kLongest) + "..."
                                                        : value;
    parts.push_back(fmt::format("{} on {}", shown, name_of(ranks)));
  }
  return fmt::format("{} is {}{}", name, fmt::join(parts, ", "), groups.size() > kMostValues ? ", ..." : "");
}

}  // namespace

std::string difference(const std::vector<Settings>& settings) {
  std::vector<std::string> names;  // in the order of the first rank that has them
  std::vector<std::map<std::string, std::string>> of_rank;
  for (const Settings& list : settings) {
    of_rank.emplace_back(list.begin(), list.end());
    for (const auto& setting : list) {
      if (std::find(names.begin(), names.end(), setting.first) == names.end()) names.push_back(setting.first);
    }
  }
  std::vector<std::string> differences;
  for (const std::string& name : names) {
    std::vector<std::string> values;
    for (const auto& map : of_rank) {
      const auto found = map.find(name);
      values.push_back(found == map.end() ? "missing" : found->second);
    }
    if (std::count(values.begin(), values.end(), values[0]) == int64_t(values.size())) continue;
    differences.push_back(difference_in(name, values));
    if (name == kProgram) break;  // the flags of different programs are not compared
  }
  constexpr size_t kMost = 3;
  const size_t more = differences.size() - std::min(differences.size(), kMost);
  differences.resize(differences.size() - more);
  return fmt::format("{}{}", fmt::join(differences, "; "),
                     more > 0 ? fmt::format("; and {} more settings", more) : "");
}

void require_same_on_all_ranks(const ProcessGroup& group, const Settings& settings) {
  if (group.world_size() == 1) return;
  const std::string mine = serialize(settings);
  if (is_everywhere(group, mine)) return;
  std::vector<Settings> all;
  for (const std::string& text : gather(group, mine)) all.push_back(deserialize(text));
  fail("ranks differ: {}; start all ranks with the same flags, data and build", difference(all));
}

}  // namespace gpt2::dist
