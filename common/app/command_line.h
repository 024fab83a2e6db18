// The flags of a program: declared once, read from the command line, explained by --help.
//
//   flags.group("Training");
//   flags.add("--batch", batch, 1, kMany, "sequences per batch").default_text("4 for tiny; else 16 on a GPU");
//   flags.add("--dtype", dtype, {{"bf16", DType::bf16}, {"fp32", DType::f32}}, "data type of matrix products");
//   flags.parse();
//
// --help then shows, under the heading Training:
//
//   --batch N           sequences per batch (default: 4 for tiny; else 16 on a GPU)
//   --dtype bf16|fp32   data type of matrix products (default: bf16)
//
// since 01_module
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "common/app/output.h"

namespace gpt2::app {

// The values of an enum and the names that the command line has for them.
template <class Enum>
using Choices = std::vector<std::pair<std::string, Enum>>;

// A declared flag. Each of these functions changes how the flag is explained or read, and returns the flag
// itself.
class Flag {
 public:
  // Sets the placeholder for the value in --help. The default is N for an integer, X for a real number, TEXT
  // for a string, and the names for a choice.
  Flag& placeholder(const std::string& name);

  // Sets the default that --help shows, instead of the variable's value: for defaults that depend on other
  // flags.
  Flag& default_text(const std::string& text);

  // Accepts an empty value; without this, an empty value is an error.
  Flag& may_be_empty();

  // The value is the path of an input: data/... means the repository's (common/base/course_data.h) if the working
  // directory has no such file.
  Flag& input();

  // The value is the path of a file that the program writes: CommandLine::parse throws if it would replace a
  // file of another kind (common/app/output.h).
  Flag& output(OutputKind kind);

  // CommandLine::parse throws if this flag and one of the others are given together: one of the two would be
  // ignored.
  Flag& excludes(std::vector<std::string> others);

  // CommandLine::parse throws if this number is above that of the other flag.
  Flag& at_most(const std::string& other);

 private:
  friend class CommandLine;
  void read(const std::string& text);  // throws Error if `text` is not a valid value of this flag

  std::string explanation() const;  // the text about this flag in --help

  std::string name_, group_, help_, placeholder_, default_text_, range_, upper_;
  std::vector<std::string> choices_, excluded_;
  bool takes_value_ = true, may_be_empty_ = false, is_positional_ = false, is_input_ = false;
  std::optional<OutputKind> output_;
  std::string json_;                                      // the current value
  std::function<std::string(const std::string&)> store_;  // text -> variable; returns the value as JSON
};

class CommandLine {
 public:
  CommandLine(std::string program, int argc, char** argv);
  ~CommandLine();

  // Starts a group: --help lists the flags added after this call under this heading. A heading may be used
  // several times.
  void group(const std::string& heading);

  // Declares a flag: `value` is its default and receives what the user gives. An optional stays empty unless the flag
  // is given. Bounds are inclusive.
  Flag& add(const std::string& flag, std::string& value, const std::string& help);
  Flag& add(const std::string& flag, std::optional<std::string>& value, const std::string& help);
  Flag& add(const std::string& flag, std::string& value, const std::vector<std::string>& allowed,
            const std::string& help);
  Flag& add(const std::string& flag, bool& value, const std::string& help);
  Flag& add(const std::string& flag, uint64_t& value, const std::string& help);
  Flag& add(const std::string& flag, int64_t& value, int64_t low, int64_t high, const std::string& help);
  Flag& add(const std::string& flag, double& value, double low, double high, const std::string& help);
  Flag& add(const std::string& flag, std::optional<int64_t>& value, int64_t low, int64_t high,
            const std::string& help);
  Flag& add(const std::string& flag, std::optional<double>& value, double low, double high,
            const std::string& help);

  // Declares a flag that is one of the named values of an enum, or of on and off.
  template <class Enum>
  requires(std::is_enum_v<Enum> ||
           std::is_same_v<Enum, bool>) Flag& add(const std::string& flag, Enum& value,
                                                 const std::type_identity_t<Choices<Enum>>& choices,
                                                 const std::string& help) {
    return add_choice(
        flag, names_of(choices), name_of(value, choices),
        [&value, choices](size_t i) { value = choices[i].second; }, help);
  }
  template <class Enum>
  requires(std::is_enum_v<Enum> ||
           std::is_same_v<Enum, bool>) Flag& add(const std::string& flag, std::optional<Enum>& value,
                                                 const std::type_identity_t<Choices<Enum>>& choices,
                                                 const std::string& help) {
    return add_choice(
        flag, names_of(choices), value ? name_of(*value, choices) : "",
        [&value, choices](size_t i) { value = choices[i].second; }, help);
  }

  // Declares positional arguments, one or more; --help calls them `name`.   since 13_fineweb
  Flag& add_values(const std::string& name, std::vector<std::string>& values, const std::string& help);

  // Declares --preset: each name is short for the flags in its text, separated by spaces. A value that
  // contains spaces is written in double quotes. Flags on the command line override the preset's.
  // since 13_fineweb
  Flag& add_presets(std::map<std::string, std::string> presets);

  // Reads the arguments. Throws Error on an unknown flag or a bad value; the message names the flag, the value and
  // what is allowed. Throws HelpRequested if --help is among them.
  void parse();

  // Returns the values of all flags, whether they were given or not, as a JSON object: flag -> value.
  // since 13_fineweb
  std::string values() const;

  // Returns the text of --help.
  std::string help() const;

  const std::string& program() const { return program_; }

 private:
  template <class Enum>
  static std::vector<std::string> names_of(const Choices<Enum>& choices) {
    std::vector<std::string> names;
    for (const auto& choice : choices) names.push_back(choice.first);
    return names;
  }
  template <class Enum>
  static std::string name_of(Enum value, const Choices<Enum>& choices) {
    for (const auto& choice : choices) {
      if (choice.second == value) return choice.first;
    }
    return "";
  }

  Flag& declare(const std::string& flag, const std::string& placeholder, const std::string& help);
  Flag& add_choice(const std::string& flag, std::vector<std::string> names, const std::string& current,
                   std::function<void(size_t)> choose, const std::string& help);
  template <class Number>
  Flag& add_number(const std::string& flag, std::optional<Number> current, Number low, Number high,
                   std::function<void(Number)> store, const std::string& help);
  std::vector<std::string> arguments() const;
  struct Split {
    std::vector<std::vector<std::string>> given;  // for each flag, the values as given
    std::vector<std::string> extras;              // the arguments that belong to no flag
  };
  Split split_arguments() const;
  bool wants_help(const std::vector<std::string>& given) const;
  void require_values(const Split& split) const;
  void refuse_extras(const std::vector<std::string>& extras) const;
  void refuse_excluded(const Split& split) const;
  void require_order() const;
  const Flag* flag_of(const std::string& argument) const;

  std::string program_, group_ = "General";
  std::vector<std::string> given_;  // the arguments
  std::vector<std::unique_ptr<Flag>> flags_;
  std::vector<std::string>* positionals_ = nullptr;
  std::string preset_;
  std::map<std::string, std::string> presets_;
};

// Thrown by CommandLine::parse for --help; the program prints the help and exits.
struct HelpRequested {
  std::string text;
};

}  // namespace gpt2::app
