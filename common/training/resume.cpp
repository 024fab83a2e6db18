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

constexpr std::array<std::string_view, 15> kFree = {"--log",
                                                    "--out",
                                                    "--resume",
                                                    "--resume-anyway",
                                                    "--resume-from",
                                                    "--steps",
                                                    "--count",
                                                    "--keep",
                                                    "--keep-every",
                                                    "--val-every",
                                                    "--preset",
                                                    "--hellaswag-every",
                                                    "--sample-every",
                                                    "--checkpoint-every",
                                                    "--rendezvous-port"};

// A run may begin or stop to measure, but not measure on other data as if they were the same.
constexpr std::array<std::string_view, 2> kMeasured = {"--val-data", "--hellaswag"};

// Settings that only change the order of summation.
constexpr std::array<std::string_view, 7> kRounding = {
    "--attention", "--deterministic", "--cuda-graph", "device", "threads", "instructions", "build"};

// How a step is divided into micro-batches: a matter of rounding too if is_freely_divided().
constexpr std::array<std::string_view, 2> kDivision = {"--batch", "ranks"};

// Whether the run trains on the same windows and drops the same values, however its steps are divided. Each rank draws
// the masks of dropout for its own micro-batches, and the video's order skips windows that do not fill a batch on all
// ranks.
bool is_freely_divided(const json& before, const json& now) {
  const auto rows = [](const json& settings) {
    return settings.value("--batch", int64_t{0}) * settings.value("ranks", int64_t{1});
  };
  return now.value("--dropout", 0.0) == 0 &&
         (now.value("--order", "") != "video" || rows(before) == rows(now));
}

// Numbers are equal if they differ only by rounding: 6e-4 / 10 is not exactly 6e-5.
bool is_same(const json& a, const json& b) {
  if (!a.is_number_float() && !b.is_number_float()) return a == b;
  if (!a.is_number() || !b.is_number()) return false;
  const double x = a.get<double>(), y = b.get<double>();
  return std::abs(x - y) <= 1e-14 * std::max(std::abs(x), std::abs(y));
}

// The value, without JSON's quotes if that is unambiguous.
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
  if (name == "instructions") return "the CPU's instructions " + plain(value);
  if (name == "weights") {
    return value.is_null() ? "new weights" : fmt::format("--model with weights of digest {}", plain(value));
  }
  if (value.is_array()) return fmt::format("{} of {} files", name, value.size());
  if (name == "ranks") return fmt::format("{} {}", plain(value), value == 1 ? "rank" : "ranks");
  const bool absent = value.is_null() || value == "" || value == false;
  if (absent) return "no " + name;
  return value == true || value == "true" ? name : fmt::format("{} {}", name, plain(value));
}

// The first difference between two lists of sources.
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
    const Difference shown = difference.now.is_array() ? first_source(difference) : difference;
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

// Whether a tenth of the training text is kept for validation.
bool holds_out(const json& settings) { return settings.value("--val-data", json()) == kLastTenth; }

bool is_absent(const json& value) { return value.is_null() || value == ""; }

}  // namespace

std::vector<Difference> differences(const json& before, const RunSettings& now) {
  std::vector<Difference> differences;
  const bool division_only_rounds = is_freely_divided(before, now);
  const auto compare = [&](const std::string& name, const json& old_value, const json& new_value) {
    const bool is_free = contains(kFree, name) ||
                         (contains(kMeasured, name) && (is_absent(old_value) || is_absent(new_value)));
    if (is_free || is_same(old_value, new_value)) return;
    const bool only_rounds = contains(kRounding, name) || (contains(kDivision, name) && division_only_rounds);
    differences.push_back({name, old_value, new_value, only_rounds});
  };
  // --val-every decides whether there is validation, and so how much of a text is trained on.
  const json every = before.value("--val-every", json()), every_now = now.value("--val-every", json());
  if (holds_out(before) != holds_out(json(now)) && every != every_now)
    differences.push_back({"--val-every", every, every_now});
  for (const auto& item : now.items()) compare(item.key(), before.value(item.key(), json()), item.value());
  for (const auto& item : before.items()) {
    if (!now.contains(item.key())) compare(item.key(), item.value(), json());
  }
  return differences;
}

void keep_measured(const json& before, RunSettings& now) {
  for (const std::string_view name : kMeasured) {
    const std::string key(name);
    const json earlier = before.value(key, json());
    if (is_absent(now.value(key, json())) && !is_absent(earlier) && earlier != kLastTenth) now[key] = earlier;
  }
}

std::string refusal(const std::string& checkpoint, const std::vector<Difference>& differences) {
  return fmt::format(
      "--resume: {} used {} ({}); got {}; give the same, or accept the difference with --resume-anyway",
      run_of(checkpoint), list(differences, &Difference::before), name_of(checkpoint),
      list(differences, &Difference::now));
}

std::string acceptance(const std::vector<Difference>& differences) {
  const auto all = [&](const auto& condition) {
    return std::all_of(differences.begin(), differences.end(), condition);
  };
  const auto is_measured = [](const Difference& difference) { return contains(kMeasured, difference.name); };
  const auto only_rounds = [](const Difference& difference) { return difference.only_rounds; };
  return fmt::format("--resume-anyway: the run used {}; it now uses {}: {}",
                     list(differences, &Difference::before), list(differences, &Difference::now),
                     all(is_measured)   ? "the training is the same, but the measurements are of other data"
                     : all(only_rounds) ? "the same to rounding, no longer to the bit"
                                        : "from here on it is another run");
}

nlohmann::ordered_json as_json(const std::vector<Difference>& differences) {
  auto all = nlohmann::ordered_json::object();
  for (const Difference& difference : differences) all[difference.name] = {difference.before, difference.now};
  return all;
}

void require_not_beyond(const std::string& checkpoint, int64_t step, int64_t steps) {
  require(
      step <= steps,
      "--steps {}: {} in {} is beyond it; give --steps {} or more, or an older checkpoint with --resume-from",
      steps, name_of(checkpoint), std::filesystem::path(checkpoint).parent_path().string(), step);
}

std::string change_of_schedule(const std::string& checkpoint, int64_t step, const json& before,
                               const RunSettings& now, bool anyway) {
  const int64_t steps = now.value("--steps", int64_t{0}), steps_before = before.value("--steps", steps);
  require_not_beyond(checkpoint, step, steps);
  if (steps == steps_before) return "";
  require(steps > steps_before || anyway,
          "--resume: {} used --steps {} ({}); got --steps {}, which lowers the learning rate sooner; give "
          "the same, or accept the difference with --resume-anyway",
          run_of(checkpoint), steps_before, name_of(checkpoint), steps);
  require(step < steps,
          "--steps {}: {} leaves nothing to train, but was not the end of its run, so no measurement is due "
          "there; give "
          "--steps {} or more, or use the checkpoint as it is",
          steps, name_of(checkpoint), step + 1);
  return fmt::format(
      "--steps {} instead of {}: from step {} on the learning rate follows the schedule of {} steps", steps,
      steps_before, step, steps);
}

}  // namespace gpt2::training
