#include "common/training/run_log.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string_view>

#include "common/base/digest.h"
#include "common/base/error.h"
#include "common/base/file.h"

namespace gpt2::training {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using nlohmann::ordered_json;

// A line of the log: what it reports, and the step; "config" and "done" have none.
struct Line {
  std::string name;
  std::optional<int64_t> step;
};
using Parser = std::function<std::optional<Line>(std::string_view)>;  // nullopt: not a line of such a log

// The events of app::Log that a resumed run removes, with their fields. A line with another field is somebody else's.
const std::map<std::string, std::set<std::string>>& fields_of_events() {
  static const std::map<std::string, std::set<std::string>> fields = {
      {"step", {"event", "step", "loss", "lr", "norm", "ms", "tokens_per_sec", "mfu"}},
      {"val", {"event", "step", "loss"}},
      {"hellaswag", {"event", "step", "acc_norm", "acc", "items"}},
      {"sample", {"event", "step", "text"}},
      {"checkpoint", {"event", "step", "path"}},
      {"done", {"event", "steps", "ms", "ms_spread", "tokens_per_sec", "peak_bytes"}}};
  return fields;
}

std::optional<Line> parse_event(std::string_view text) {
  const json event = json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!event.is_object() || !event.contains("event") || !event["event"].is_string()) return std::nullopt;
  Line line{event["event"].get<std::string>(), std::nullopt};
  const auto known = fields_of_events().find(line.name);
  if (known == fields_of_events().end() && line.name != "config") return std::nullopt;
  for (const auto& field : event.items()) {
    if (line.name != "config" && !known->second.contains(field.key())) return std::nullopt;
  }
  if (!event.contains("step"))
    return line.name == "config" || line.name == "done" ? std::optional(line) : std::nullopt;
  if (!event["step"].is_number_integer()) return std::nullopt;
  line.step = event["step"].get<int64_t>();
  return line;
}

// A line of log.txt: 250 val 6.1321
std::optional<Line> parse_video_line(std::string_view text) {
  int64_t step = 0;
  const char* end = text.data() + text.size();
  const auto [after, error] = std::from_chars(text.data(), end, step);
  const std::string_view rest(after, size_t(end - after));
  if (error != std::errc() || rest.find_first_not_of("0123456789.-naif", rest.rfind(' ') + 1) != rest.npos)
    return std::nullopt;
  for (const auto& [name, event] :
       {std::pair<std::string_view, std::string>("train", "step"), {"val", "val"}, {"hella", "hellaswag"}}) {
    if (rest.starts_with(fmt::format(" {} ", name)) && rest.rfind(' ') == name.size() + 1)
      return Line{event, step};
  }
  return std::nullopt;
}

// Parses the lines of a log.txt whose log.jsonl has this text: each repeats an event.
Parser parser_beside(std::string_view json_text) {
  std::set<std::pair<std::string, int64_t>> events;
  while (!json_text.empty()) {
    const size_t end = std::min(json_text.find('\n'), json_text.size());
    const auto line = parse_event(json_text.substr(0, end));
    if (line && line->step) events.emplace(line->name, *line->step);
    json_text.remove_prefix(std::min(end + 1, json_text.size()));
  }
  return [events = std::move(events)](std::string_view text) {
    auto line = parse_video_line(text);
    return line && events.contains({line->name, *line->step}) ? line : std::nullopt;
  };
}

// Whether the line comes before the point at which a run resumes before `step`.
bool is_before(const Line& line, int64_t step) {
  if (line.name == "done") return false;
  if (!line.step) return true;
  return line.name == "step" ? *line.step < step : *line.step <= step;  // other events precede the training
}

struct Lines {
  std::string kept;
  bool has_steps = false, has_others = false;  // others: lines that do not belong to such a log
  int64_t checkpoint = -1;                     // the step of the last checkpoint event
  int64_t saved =
      -1;  // the same of one that other lines follow: without them the run may have been killed while it saved
};

// The names of the events in a text.
std::set<std::string> names_in(std::string_view text, const Parser& parse) {
  std::set<std::string> names = {"step", "checkpoint", "done"};  // every run has them
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    if (const auto line = parse(text.substr(0, end))) names.insert(line->name);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return names;
}

// Recognises the lines that a run writes after a checkpoint: kinds of events that it wrote before, too, of consecutive
// steps.
class Sequence {
 public:
  Sequence(int64_t first, std::set<std::string> names) : next_(first), names_(std::move(names)) {}
  bool continues_with(const Line& line) {
    if (line.name == "config") next_.reset();  // resumed, maybe from an older checkpoint
    if (!line.step) return true;
    if (next_.value_or(*line.step) != *line.step || !names_.contains(line.name)) return false;
    next_ = *line.step + (line.name == "step" ? 1 : 0);
    return true;
  }

 private:
  std::optional<int64_t> next_;
  std::set<std::string> names_;
};

// Keeps the lines before `step`. A last line without its end was cut off, and a line of a step before `first` belongs to
// another run. A line that is removed and does not continue the `sequence` is somebody else's.
Lines filter(std::string_view text, const Parser& parse, int64_t step, int64_t first = 0,
             std::optional<Sequence> sequence = {}) {
  Lines lines;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    auto parsed = end == text.npos ? std::nullopt : parse(line);
    if (parsed && parsed->step && *parsed->step < first) parsed.reset();
    text.remove_prefix(end == text.npos ? text.size() : end + 1);
    lines.has_others |= !parsed;
    if (!parsed) continue;
    lines.has_steps |= parsed->step.has_value();
    if (parsed->name == "checkpoint")
      lines.checkpoint = *parsed->step;
    else
      lines.saved = lines.checkpoint;
    const bool is_kept = is_before(*parsed, step);
    if (is_kept) lines.kept.append(line).append("\n");
    lines.has_others |= sequence && !sequence->continues_with(*parsed) && !is_kept;
  }
  return lines;
}

// The text of a log file; none if it does not exist.
std::optional<std::string> text_of(const std::string& path) {
  std::error_code none;
  if (!fs::exists(path, none)) return std::nullopt;
  require(fs::is_regular_file(path, none),
          "--log {}: not a regular file; a resumed run reads its log, so give a file", path);
  return read_text_file(path, kAnySize);
}

// Why the file is not the log with this extent; empty if it is.
std::string obstacle(const std::optional<std::string>& text, const json& extent) {
  if (!text) return "it is missing";
  if (!extent.is_object() || !extent.contains("bytes") || !extent["bytes"].is_number_integer())
    return "the checkpoint does not say how far its log went";
  const size_t bytes = extent["bytes"].get<size_t>();
  if (text->size() < bytes) return "it was cut, or it is another file";
  const bool is_same =
      extent.value("digest", "") == to_hex(digest_of(std::string_view(*text).substr(0, bytes)));
  return is_same ? "" : "it was changed, or it is another file";
}

// Adds to `log` what the file at `path` becomes. Returns the contents with which it goes on.
std::string continued(const std::string& path, const json& extent, const Parser& parse,
                      const ResumePoint& point, ResumedLog& log) {
  const std::optional<std::string> text = text_of(path);
  const std::string reason = obstacle(text, extent);
  const std::string problem = reason.empty()
                                  ? ""
                                  : fmt::format("{} is not the log of this run up to {}: {}", path,
                                                fs::path(point.checkpoint).filename().string(), reason);
  require(
      reason.empty() || point.anyway, "--resume: {}; put the log back, or give --resume-anyway, which {}",
      problem,
      text ? "goes on with the events in it as they are, and keeps this file beside it" : "begins a new log");
  if (!reason.empty()) log.notes.push_back("--resume-anyway: " + problem);
  const size_t bytes = reason.empty() ? extent["bytes"].get<size_t>() : 0;
  const std::string pending = reason.empty() ? extent.value("pending", "") : "";
  std::string_view rest = text ? std::string_view(*text).substr(bytes) : "";
  if (rest.starts_with(pending)) rest.remove_prefix(pending.size());
  std::optional<Sequence> sequence;
  if (reason.empty()) {
    const std::string_view before = std::string_view(*text).substr(0, bytes);
    sequence.emplace(point.step, names_in(fmt::format("{}{}", before, pending), parse));
  }
  const Lines later = filter(rest, parse, point.step, reason.empty() ? point.step : 0, std::move(sequence));
  require(point.is_chosen || later.saved <= point.step,
          "--resume: {} says that step {} was saved, but the newest checkpoint is {}; put the checkpoint "
          "back under its "
          "name, or go on from the older one with --resume-from {}",
          path, later.saved, point.checkpoint, fs::path(point.checkpoint).filename().string());
  if (text && !text->empty() && (later.has_others || !reason.empty())) log.replaced.push_back(path);
  std::error_code none;
  if (text && fs::hard_link_count(path, none) > 1 && !none)
    log.notes.push_back(
        fmt::format("{} is written anew: its other name (a hard link) keeps what it holds now", path));
  return (text ? text->substr(0, bytes) : "") + pending + later.kept;
}

// Adds to `log` what becomes of main.log, which repeats the log: it is made from it. An old file that does not begin as
// the new one is kept.
void remake(const std::string& path, ResumedLog& log) {
  log.contents.llmc = app::llmc_log(log.contents.json);
  const std::string before = text_of(path).value_or("");
  const std::string& now = log.contents.llmc;
  if (!before.starts_with(now) && !now.starts_with(before)) log.replaced.push_back(path);
}

}  // namespace

ResumedLog log_up_to(const LogPaths& paths, const ResumePoint& point, const json& extents) {
  const auto extent = [&](const char* file) {
    return extents.is_object() ? extents.value(file, json()) : json();
  };
  ResumedLog log;
  log.contents.json = continued(paths.json, extent("log.jsonl"), parse_event, point, log);
  const Parser parse_text = parser_beside(text_of(paths.json).value_or(""));
  log.contents.text = continued(paths.text, extent("log.txt"), parse_text, point, log);
  // The full disk that stopped the run, or a power cut, may have taken the event.
  if (filter(log.contents.json, parse_event, point.step).checkpoint != point.step) {
    log.contents.json +=
        app::json_line({{"event", "checkpoint"}, {"step", point.step}, {"path", point.checkpoint}}) + "\n";
  }
  remake(paths.llmc, log);
  return log;
}

ResumedLog log_from_start(const LogPaths& paths, const std::string& out) {
  std::error_code none;
  bool is_empty = true;
  for (const auto& entry : fs::directory_iterator(out)) {
    const std::string name = entry.path().filename();
    require(!name.starts_with("step_"),
            "--resume: {} has no checkpoint, but {}; rename it to step_N if it is to be continued, or give "
            "another "
            "--out",
            out, name);
    is_empty = false;
  }
  ResumedLog log;
  for (const std::string& path : {paths.json, paths.text}) {
    if (!fs::is_regular_file(path, none)) {
      const bool is_missing = !fs::exists(path, none) && path == paths.json;
      require(is_empty || !is_missing,
              "--resume: {} is not the folder of a run: {} is missing; give the run's --out and --log, or an "
              "empty "
              "folder for a new run",
              out, path);
      continue;
    }
    const std::string text = read_text_file(path, kAnySize);
    const Lines lines = filter(text, path == paths.json ? parse_event : parse_video_line, 0);
    // A power cut may have damaged the end, but a file without any event is not a log.
    require(is_empty || text.empty() || !lines.has_others || lines.has_steps || !lines.kept.empty(),
            "--resume: {} is not the folder of a run: {} is not the log of one; give the run's --out, or an "
            "empty "
            "folder for a new run",
            out, path);
    require(is_empty || lines.saved < 0,
            "--resume: {} has no checkpoint, but its log says that step {} was saved; put the checkpoint "
            "back, or "
            "give another --out",
            out, lines.saved);
    if (!text.empty()) log.replaced.push_back(path);
  }
  if (fs::is_regular_file(paths.llmc, none) && fs::file_size(paths.llmc, none) > 0)
    log.replaced.push_back(paths.llmc);
  return log;
}

}  // namespace gpt2::training
