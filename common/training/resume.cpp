#include "common/training/resume.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <string_view>

#include "common/base/error.h"
#include "common/base/json.h"

namespace gpt2::training {
namespace {

using nlohmann::json;

template <size_t N>
bool contains(const std::array<std::string_view, N>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// Of validation only the share of a text matters that it takes away from training, and --data tells its tokens.
constexpr std::array<std::string_view, 17> kFree = {"--log",
                                                    "--out",
                                                    "--resume",
                                                    "--resume-anyway",
                                                    "--resume-from",
                                                    "--steps",
                                                    "--count",
                                                    "--keep",
                                                    "--keep-every",
                                                    "--val-data",
                                                    "--val-every",
                                                    "--hellaswag",
                                                    "--preset",
                                                    "--hellaswag-every",
                                                    "--sample-every",
                                                    "--checkpoint-every",
                                                    "--rendezvous-port"};

// What changes the order of sums and nothing else.
constexpr std::array<std::string_view, 7> kRounding = {"--batch", "--attention", "--cuda-graph", "device",
                                                       "ranks",   "threads",     "build"};

// Numbers are the same if they differ by no more than a rounding of the last bit: 6e-4 / 10 is not 6e-5.
bool is_same(const json& a, const json& b) {
  if (!a.is_number_float() && !b.is_number_float()) return a == b;
  if (!a.is_number() || !b.is_number()) return false;
  const double x = a.get<double>(), y = b.get<double>();
  return std::abs(x - y) <= 1e-14 * std::max(std::abs(x), std::abs(y));
}

// A value without JSON's quotes where that is unambiguous.
std::string plain(const json& value) {
  const std::string text = escaped(value);
  const bool is_simple =
      value.is_string() && text.size() > 2 && text.find('\\') == text.npos && text.back() == '"';
  return is_simple ? text.substr(1, text.size() - 2) : text;
}

// "--batch 8", "2 threads", "--overfit".
std::string setting(const std::string& name, const json& value) {
  if (name == "threads") {
    return fmt::format("{} {} (OMP_NUM_THREADS)", plain(value), value == 1 ? "thread" : "threads");
  }
  if (name == "ranks") return fmt::format("{} {}", plain(value), value == 1 ? "rank" : "ranks");
  const bool absent = value.is_null() || value == "" || value == false;
  if (absent) return "no " + name;
  return value == true || value == "true" ? name : fmt::format("{} {}", name, plain(value));
}

// Of two lists of sources the first that differs.
Difference first_source(const Difference& lists) {
  if (!lists.before.is_array() || !lists.now.is_array()) return lists;
  if (lists.before.size() != lists.now.size()) {
    const auto count = [](const json& list) { return fmt::format("of {} files", list.size()); };
    return {lists.name, count(lists.before), count(lists.now)};
  }
  for (size_t i = 0; i < lists.now.size(); ++i) {
    if (lists.before[i] != lists.now[i]) return {lists.name, lists.before[i], lists.now[i]};
  }
  return lists;
}

std::string list(const std::vector<Difference>& differences, json Difference::*side) {
  std::string all;
  for (const Difference& difference : differences) {
    const Difference shown = difference.name == "--data" ? first_source(difference) : difference;
    all += (all.empty() ? "" : ", ") + setting(shown.name, shown.*side);
  }
  return all;
}

// "the run in runs/a", "checkpoint step_000020"
std::string run_of(const std::string& checkpoint) {
  return "the run in " + std::filesystem::path(checkpoint).parent_path().string();
}
std::string name_of(const std::string& checkpoint) {
  return "checkpoint " + std::filesystem::path(checkpoint).filename().string();
}

}  // namespace

std::vector<Difference> differences(const json& before, const RunSettings& now) {
  std::vector<Difference> differences;
  const auto compare = [&](const std::string& name, const json& old_value, const json& new_value) {
    if (!contains(kFree, name) && !is_same(old_value, new_value)) {
      differences.push_back({name, old_value, new_value});
    }
  };
  for (const auto& item : now.items()) compare(item.key(), before.value(item.key(), json()), item.value());
  for (const auto& item : before.items()) {
    if (!now.contains(item.key())) compare(item.key(), item.value(), json());
  }
  return differences;
}

std::string refusal(const std::string& checkpoint, const std::vector<Difference>& differences) {
  return fmt::format(
      "--resume: {} used {} ({}); got {}; give the same, or accept the difference with --resume-anyway",
      run_of(checkpoint), list(differences, &Difference::before), name_of(checkpoint),
      list(differences, &Difference::now));
}

std::string acceptance(const std::vector<Difference>& differences) {
  const bool rounding = std::all_of(differences.begin(), differences.end(), [](const Difference& difference) {
    return contains(kRounding, difference.name);
  });
  return fmt::format(
      "--resume-anyway: the run used {}; it goes on with {}: {}", list(differences, &Difference::before),
      list(differences, &Difference::now),
      rounding ? "the same to rounding, no longer to the bit" : "from here on it is another run");
}

nlohmann::ordered_json as_json(const std::vector<Difference>& differences) {
  auto all = nlohmann::ordered_json::object();
  for (const Difference& difference : differences) all[difference.name] = {difference.before, difference.now};
  return all;
}

std::string change_of_schedule(const std::string& checkpoint, int64_t step, const json& before,
                               const RunSettings& now, bool anyway) {
  const int64_t steps = now.value("--steps", int64_t{0}), steps_before = before.value("--steps", steps);
  require(
      step <= steps,
      "--steps {}: {} in {} is beyond it; give --steps {} or more, or an older checkpoint with --resume-from",
      steps, name_of(checkpoint), std::filesystem::path(checkpoint).parent_path().string(), step);
  if (steps == steps_before) return "";
  require(steps > steps_before || anyway,
          "--resume: {} used --steps {} ({}); got --steps {}, which lowers the learning rate sooner; give "
          "the same, or "
          "accept the difference with --resume-anyway",
          run_of(checkpoint), steps_before, name_of(checkpoint), steps);
  return fmt::format(
      "--steps {} instead of {}: from step {} on the learning rate follows the schedule of {} steps", steps,
      steps_before, step, steps);
}

}  // namespace gpt2::training
