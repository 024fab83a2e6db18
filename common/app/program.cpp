#include "common/app/program.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <new>

#include "common/base/error.h"

namespace gpt2::app {

CommandLine::CommandLine(std::string program, int argc, char** argv)
    : program_(std::move(program)), argc_(argc), argv_(argv), app_("", program_) {
  app_.option_defaults()->always_capture_default()->delimiter('\0');
}

void CommandLine::add(const std::string& flag, std::string& value, const std::string& help) {
  app_.add_option(flag, value, help);
}

void CommandLine::add(const std::string& flag, bool& value, const std::string& help) {
  app_.add_flag(flag, value, help);
}

void CommandLine::add(const std::string& flag, uint64_t& value, const std::string& help) {
  app_.add_option(flag, value, help);
}

void CommandLine::add(const std::string& flag, int64_t& value, int64_t low, int64_t high,
                      const std::string& help) {
  app_.add_option(flag, value, help)->check(CLI::Range(low, high));
}

void CommandLine::add(const std::string& flag, double& value, double low, double high,
                      const std::string& help) {
  app_.add_option(flag, value, help)->check(CLI::Range(low, high));
}

void CommandLine::parse() {
  try {
    app_.parse(argc_, argv_);
  } catch (const CLI::CallForHelp&) {
    std::fputs(app_.help().c_str(), stdout);
    std::exit(0);
  } catch (const CLI::ParseError& error) {
    std::string what = error.what();
    std::replace(what.begin(), what.end(), '\n', ' ');
    fail("{} (--help lists the flags)", what);
  }
}

int run(const std::string& program, int argc, char** argv, const std::function<void(CommandLine&)>& body) {
  try {
    CommandLine flags(program, argc, argv);
    body(flags);
    if (std::fflush(stdout) != 0) fail("standard output: write failed");
    return 0;
  } catch (const std::bad_alloc&) {
    fmt::print(stderr, "{}: out of memory; try a smaller --batch or --seq\n", program);
  } catch (const std::exception& error) {
    std::fflush(stdout);
    fmt::print(stderr, "{}: {}\n", program, error.what());
  }
  return 1;
}

}  // namespace gpt2::app
