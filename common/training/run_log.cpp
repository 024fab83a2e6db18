#include "common/training/run_log.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <filesystem>
#include <functional>
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

std::optional<Line> parse_event(std::string_view text) {
  constexpr std::array kEvents = {"config", "step", "val", "hellaswag", "sample", "checkpoint", "done"};
  const json event = json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!event.is_object() || !event.contains("event") || !event["event"].is_string()) return std::nullopt;
  Line line{event["event"].get<std::string>(), std::nullopt};
  if (std::find(kEvents.begin(), kEvents.end(), line.name) == kEvents.end()) return std::nullopt;
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

// Keeps the lines before `step`. A last line without its end was cut off, and a line of a step before `first` belongs to
// another run.
Lines filter(std::string_view text, const Parser& parse, int64_t step, int64_t first = 0) {
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
    if (is_before(*parsed, step)) lines.kept.append(line).append("\n");
  }
  return lines;
}

// The text of a log file; none if it does not exist.
std::optional<std::string> text_of(const std::string& path) {
  std::error_code none;
  if (!fs::exists(path, none)) return std::nullopt;
  require(fs::is_regular_file(path, none),
          "--log {}: not a regular file; a resumed run reads its log, so give a file", path);
  return std::string(MappedFile(path).text());
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
  require(reason.empty() || point.anyway,
          "--resume: {}; put the log back, or give --resume-anyway, which begins a new log{}", problem,
          text ? " and keeps this file beside it" : "");
  if (!reason.empty()) log.notes.push_back("--resume-anyway: " + problem);
  const size_t bytes = reason.empty() ? extent["bytes"].get<size_t>() : 0;
  const std::string pending = reason.empty() ? extent.value("pending", "") : "";
  std::string_view rest = text ? std::string_view(*text).substr(bytes) : "";
  if (rest.starts_with(pending)) rest.remove_prefix(pending.size());
  const Lines later = filter(rest, parse, point.step, reason.empty() ? point.step : 0);
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
    const std::string text(MappedFile(path).text());
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
    if (lines.has_steps || lines.has_others) log.replaced.push_back(path);
  }
  if (fs::is_regular_file(paths.llmc, none) && fs::file_size(paths.llmc, none) > 0)
    log.replaced.push_back(paths.llmc);
  return log;
}

}  // namespace gpt2::training
