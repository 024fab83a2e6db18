#include "common/app/program.h"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <iterator>
#include <limits>
#include <new>
#include <nlohmann/json.hpp>
#include <sstream>

#include <fmt/ranges.h>

#include "common/app/interrupt.h"
#include "common/base/error.h"
#include "common/base/os.h"

namespace gpt2::app {

CommandLine::CommandLine(std::string program, int argc, char** argv)
    : program_(std::move(program)), argc_(argc), argv_(argv), app_(std::make_unique<CLI::App>("", program_)) {
  // Of a flag given twice the last counts, so that a script's flags can be overridden.
  app_->option_defaults()->always_capture_default()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
}

CommandLine::~CommandLine() = default;

void CommandLine::add(const std::string& flag, std::string& value, const std::string& help) {
  app_->add_option(flag, value, help);
}

void CommandLine::add(const std::string& flag, std::string& value, const std::vector<std::string>& allowed,
                      const std::string& help) {
  const auto is_allowed = [allowed](const std::string& text) {
    const bool found = std::find(allowed.begin(), allowed.end(), text) != allowed.end();
    return found ? "" : fmt::format("{} is not one of {}", text, fmt::join(allowed, ", "));
  };
  const std::string choices = fmt::format("{}", fmt::join(allowed, "|"));
  app_->add_option(flag, value, help)->check(CLI::Validator(is_allowed, choices));
}

void CommandLine::add(const std::string& flag, bool& value, const std::string& help) {
  app_->add_flag(flag, value, help);
}

void CommandLine::add(const std::string& flag, uint64_t& value, const std::string& help) {
  app_->add_option(flag, value, help);
}

void CommandLine::add(const std::string& flag, int64_t& value, int64_t low, int64_t high,
                      const std::string& help) {
  app_->add_option(flag, value, help)->check(CLI::Range(low, high));
}

void CommandLine::add(const std::string& flag, double& value, double low, double high,
                      const std::string& help) {
  const auto is_number = [](const std::string& text) {  // NaN is not out of CLI::Range
    return std::isnan(std::strtod(text.c_str(), nullptr)) ? "Value " + text + " is not a number" : "";
  };
  app_->add_option(flag, value, help)->check(CLI::Range(low, high))->check(is_number);
}

void CommandLine::add_values(const std::string& name, std::vector<std::string>& values,
                             const std::string& help) {
  app_->add_option(name, values, help)->required()->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
}

void CommandLine::add_presets(std::map<std::string, std::string> presets) {
  presets_ = std::move(presets);
  std::vector<std::string> names;
  for (const auto& preset : presets_) names.push_back(preset.first);
  add("--preset", preset_, names, "many flags at once; those that are given count for more");
}

// What was given; the flags of a preset stand before it.
std::vector<std::string> CommandLine::arguments() const {
  std::vector<std::string> given(argv_ + 1, argv_ + argc_), all;
  for (size_t i = 0; i < given.size() && !presets_.empty(); ++i) {
    const bool is_last = i + 1 == given.size();
    const std::string name = given[i].starts_with("--preset=")    ? given[i].substr(9)
                             : given[i] == "--preset" && !is_last ? given[i + 1]
                                                                  : "";
    if (const auto found = presets_.find(name); found != presets_.end()) {
      std::istringstream flags(found->second);
      all.assign(std::istream_iterator<std::string>(flags), {});
    }
  }
  all.insert(all.end(), given.begin(), given.end());
  return all;
}

nlohmann::json CommandLine::values() const {
  nlohmann::json values;
  for (const CLI::Option* option : app_->get_options()) {
    if (option->get_lnames().empty() || option->get_lnames().front() == "help") continue;
    const std::string text = option->empty() ? option->get_default_str() : option->results().back();
    const nlohmann::json number = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
    values["--" + option->get_lnames().front()] = number.is_number() ? number : nlohmann::json(text);
  }
  return values;
}

void CommandLine::parse() {
  try {
    std::vector<std::string> all = arguments();
    std::reverse(all.begin(), all.end());  // CLI11 takes a vector from its end
    app_->parse(std::move(all));
  } catch (const CLI::CallForHelp&) {
    std::fputs(app_->help().c_str(), stdout);
    std::exit(0);
  } catch (const CLI::ExtrasError&) {
    fail("{}: no such flag (--help lists them)", app_->remaining().front());
  } catch (const CLI::ParseError& error) {
    std::string what = error.what();
    std::replace(what.begin(), what.end(), '\n', ' ');
    fail("{} (--help lists the flags)", what);
  }
}

namespace {

// Starts this program anew with OpenMP told to spin for microseconds, not for milliseconds, before a waiting
// thread sleeps. On a virtual machine, or on one with other work, a spinning thread takes the processor from
// the thread it waits for: a step of the tiny model was seen to take twenty times as long. libgomp reads its
// environment before main(), hence the second start; whoever sets one of the variables is left alone.
void limit_spinning(char** argv) {
  if (std::getenv("OMP_WAIT_POLICY") != nullptr || std::getenv("GOMP_SPINCOUNT") != nullptr) return;
  setenv("GOMP_SPINCOUNT", "1000", 1);
  setenv("KMP_BLOCKTIME", "1", 0);             // clang's libomp: milliseconds
  execv(os::executable_path().c_str(), argv);  // returns only if the path is unknown: then all stays as it is
}

}  // namespace

void speak_only_if(bool is_master) {
  if (!is_master) require(std::freopen("/dev/null", "w", stdout) != nullptr, "cannot open /dev/null");
}

int run(const std::string& program, int argc, char** argv, const std::function<void(CommandLine&)>& body) {
  limit_spinning(argv);
  os::keep_freed_memory();  // oneDNN's packing buffers: otherwise the kernel clears new pages in every call
  std::signal(SIGXFSZ, SIG_IGN);  // a file that may not grow is an error of the write, with the file's name
  try {
    CommandLine flags(program, argc, argv);
    body(flags);
    if (std::fflush(stdout) != 0) fail("standard output: write failed");
    return interrupt() == 0 ? 0 : 128 + interrupt();
  } catch (const std::bad_alloc&) {
    fmt::print(stderr, "{}: out of memory; try a smaller --batch or --seq\n", program);
  } catch (const std::exception& error) {
    std::fflush(stdout);
    fmt::print(stderr, "{}: {}\n", program, error.what());
  }
  return 1;
}

}  // namespace gpt2::app
