// What every program does around its own work: flags in, errors out.
//
//   int main(int argc, char** argv) {
//     return app::run("04_overfit", argc, argv, [](app::CommandLine& flags) {
//       Options options;
//       options.add_to(flags);
//       flags.parse();
//       ...
//     });
//   }
//
// since 01_module
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace CLI {  // NOLINT(readability-identifier-naming): not ours
class App;       // its header takes a compiler seconds
}

namespace gpt2::app {

class CommandLine {
 public:
  CommandLine(std::string program, int argc, char** argv);
  ~CommandLine();

  // Declares a flag: `value` is its default and receives what the user gives. Bounds are inclusive.
  void add(const std::string& flag, std::string& value, const std::string& help);
  void add(const std::string& flag, std::string& value, const std::vector<std::string>& allowed,
           const std::string& help);
  void add(const std::string& flag, bool& value, const std::string& help);
  void add(const std::string& flag, uint64_t& value, const std::string& help);
  void add(const std::string& flag, int64_t& value, int64_t low, int64_t high, const std::string& help);
  void add(const std::string& flag, double& value, double low, double high, const std::string& help);

  // Declares what stands without a flag: one value or more, `name` in the help.   since 13_fineweb
  void add_values(const std::string& name, std::vector<std::string>& values, const std::string& help);

  // Declares --preset: names for the flags in these lines, of which those that are given count for more.
  // since 13_fineweb
  void add_presets(std::map<std::string, std::string> presets);

  // Reads the arguments. Fails on an unknown flag or a value out of range, naming both; --help ends the
  // program.
  void parse();

  // Flag -> value of all flags, given or not: numbers as numbers.   since 13_fineweb
  nlohmann::json values() const;

  const std::string& program() const { return program_; }

 private:
  std::vector<std::string> arguments() const;

  std::string program_;
  int argc_;
  char** argv_;
  std::unique_ptr<CLI::App> app_;
  std::string preset_;
  std::map<std::string, std::string> presets_;
};

// Lets this process print on the terminal, or not: of many ranks one speaks. Errors are printed by all.
void speak_only_if(bool is_master);

// Runs `body`, prints what it throws as one line on stderr, after the program's name, and returns main's exit
// status: 0, 1 after an error, or 128 more than the signal that stopped it (common/app/interrupt.h).
int run(const std::string& program, int argc, char** argv, const std::function<void(CommandLine&)>& body);

}  // namespace gpt2::app
