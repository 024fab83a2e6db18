#include "common/app/command_line.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <initializer_list>
#include <iomanip>
#include <limits>
#include <sstream>

#include <fmt/ranges.h>

#include "common/app/help.h"
#include "common/base/course_data.h"
#include "common/base/error.h"
#include "common/base/json.h"
#include "common/base/number.h"

namespace gpt2::app {
namespace {

// A bound that only prevents overflow of sums; --help does not show it.
template <class Number>
bool is_worth_saying(Number high) {
  return double(high) < 1e6;
}

template <class Number>
std::string json_number(Number number) {
  const std::string text = fmt::format("{}", number);
  const bool is_integer = !std::is_same_v<Number, double> || text.find_first_of(".e") != text.npos;
  return is_integer ? text : text + ".0";
}

bool read_bool(const std::string& text) {
  const auto is_one_of = [&](std::initializer_list<const char*> words) {
    return std::find(words.begin(), words.end(), text) != words.end();
  };
  const bool is_on = is_one_of({"true", "on", "yes", "1"});
  require(is_on || is_one_of({"false", "off", "no", "0"}), "{} is not one of true, false", text);
  return is_on;
}

}  // namespace

Flag& Flag::placeholder(const std::string& name) {
  placeholder_ = name;
  return *this;
}

Flag& Flag::default_text(const std::string& text) {
  default_text_ = text;
  return *this;
}

Flag& Flag::may_be_empty() {
  may_be_empty_ = true;
  return *this;
}

Flag& Flag::input() {
  is_input_ = true;
  return *this;
}

Flag& Flag::output(OutputKind kind) {
  output_ = kind;
  return *this;
}

Flag& Flag::excludes(std::vector<std::string> others) {
  excluded_ = std::move(others);
  return *this;
}

Flag& Flag::at_most(const std::string& other) {
  upper_ = other;
  return *this;
}

void Flag::read(const std::string& text) {
  try {
    require(!text.empty() || may_be_empty_, "the value is empty; give {} or leave out the flag",
            takes_value_ ? placeholder_ : "true or false");
    if (output_) require_output(text, *output_);
    json_ = store_(is_input_ && text.starts_with("data/") ? in_repository(text) : text);
  } catch (const Error& error) {
    fail("{}: {} (--help lists the flags)", name_, error.what());
  }
}

CommandLine::CommandLine(std::string program, int argc, char** argv)
    : program_(std::move(program)), given_(argv + std::min(argc, 1), argv + argc) {
  Flag& help = declare("--help", "", "print this help and exit");
  help.takes_value_ = false;
}

CommandLine::~CommandLine() = default;

void CommandLine::group(const std::string& heading) { group_ = heading; }

Flag& CommandLine::declare(const std::string& flag, const std::string& placeholder, const std::string& help) {
  Flag& added = *flags_.emplace_back(std::make_unique<Flag>());
  added.name_ = flag;
  added.group_ = group_;
  added.placeholder_ = placeholder;
  added.help_ = help;
  return added;
}

Flag& CommandLine::add(const std::string& flag, std::string& value, const std::string& help) {
  Flag& added = declare(flag, "TEXT", help);
  added.default_text_ = value;
  added.json_ = json_text(value);
  added.store_ = [&value](const std::string& text) { return json_text(value = text); };
  return added;
}

Flag& CommandLine::add(const std::string& flag, std::optional<std::string>& value, const std::string& help) {
  Flag& added = declare(flag, "TEXT", help);
  added.default_text_ = value.value_or("");
  added.json_ = value ? json_text(*value) : "null";
  added.store_ = [&value](const std::string& text) { return json_text(*(value = text)); };
  return added;
}

Flag& CommandLine::add(const std::string& flag, bool& value, const std::string& help) {
  Flag& added = declare(flag, "", help);
  added.takes_value_ = false;
  const auto json = [](bool on) { return json_text(on ? "true" : ""); };  // the form that checkpoints use
  added.json_ = json(value);
  added.store_ = [&value, json](const std::string& text) {
    value = read_bool(text);
    return json(value);
  };
  return added;
}

Flag& CommandLine::add_choice(const std::string& flag, std::vector<std::string> names,
                              const std::string& current, std::function<void(size_t)> choose,
                              const std::string& help) {
  constexpr size_t kFitsBesideTheFlag = 24;
  const std::string all = fmt::format("{}", fmt::join(names, "|"));
  Flag& added = declare(flag, all.size() <= kFitsBesideTheFlag ? all : "NAME", help);
  added.default_text_ = current;
  added.choices_ = names;
  added.json_ = json_text(current);
  added.store_ = [names = std::move(names), choose = std::move(choose)](const std::string& text) {
    const auto found = std::find(names.begin(), names.end(), text);
    require(found != names.end(), "{} is not one of {}", text, fmt::join(names, ", "));
    choose(size_t(found - names.begin()));
    return json_text(text);
  };
  return added;
}

Flag& CommandLine::add(const std::string& flag, std::string& value, const std::vector<std::string>& allowed,
                       const std::string& help) {
  return add_choice(
      flag, allowed, value, [&value, allowed](size_t i) { value = allowed[i]; }, help);
}

template <class Number>
Flag& CommandLine::add_number(const std::string& flag, std::optional<Number> current, Number low, Number high,
                              std::function<void(Number)> store, const std::string& help) {
  Flag& added = declare(flag, std::is_same_v<Number, double> ? "X" : "N", help);
  const bool is_value = current && low <= *current && *current <= high;  // outside means "not given"
  if (is_value) added.default_text_ = fmt::format("{}", *current);
  if (is_worth_saying(high)) added.range_ = fmt::format("{} to {}", low, high);
  added.json_ = current ? json_number(*current) : "null";
  added.store_ = [low, high, store = std::move(store)](const std::string& text) {
    const Number number = parse_number(text, low, high);
    store(number);
    return json_number(number);
  };
  return added;
}

Flag& CommandLine::add(const std::string& flag, uint64_t& value, const std::string& help) {
  constexpr uint64_t kLargest = std::numeric_limits<uint64_t>::max();
  return add_number<uint64_t>(
      flag, value, 0, kLargest, [&value](uint64_t number) { value = number; }, help);
}

Flag& CommandLine::add(const std::string& flag, int64_t& value, int64_t low, int64_t high,
                       const std::string& help) {
  return add_number<int64_t>(
      flag, value, low, high, [&value](int64_t number) { value = number; }, help);
}

Flag& CommandLine::add(const std::string& flag, double& value, double low, double high,
                       const std::string& help) {
  return add_number<double>(
      flag, value, low, high, [&value](double number) { value = number; }, help);
}

Flag& CommandLine::add(const std::string& flag, std::optional<int64_t>& value, int64_t low, int64_t high,
                       const std::string& help) {
  return add_number<int64_t>(
      flag, value, low, high, [&value](int64_t number) { value = number; }, help);
}

Flag& CommandLine::add(const std::string& flag, std::optional<double>& value, double low, double high,
                       const std::string& help) {
  return add_number<double>(
      flag, value, low, high, [&value](double number) { value = number; }, help);
}

Flag& CommandLine::add_values(const std::string& name, std::vector<std::string>& values,
                              const std::string& help) {
  Flag& added = declare(name, name, help);
  added.is_positional_ = true;
  positionals_ = &values;
  return added;
}

Flag& CommandLine::add_presets(std::map<std::string, std::string> presets) {
  presets_ = std::move(presets);
  std::vector<std::string> names;
  for (const auto& preset : presets_) names.push_back(preset.first);
  return add("--preset", preset_, names, "set many flags at once; flags given beside it override it");
}

// The preset's flags, then the arguments as given. "--log=" becomes "--log" and an empty value, because CLI11
// would take the next argument as its value.
std::vector<std::string> CommandLine::arguments() const {
  std::vector<std::string> all;
  for (size_t i = 0; i < given_.size() && !presets_.empty(); ++i) {
    const bool is_last = i + 1 == given_.size();
    const std::string name = given_[i].starts_with("--preset=")    ? given_[i].substr(9)
                             : given_[i] == "--preset" && !is_last ? given_[i + 1]
                                                                   : "";
    if (const auto found = presets_.find(name); found != presets_.end()) {
      std::istringstream flags(found->second);
      all.clear();
      for (std::string word; flags >> std::quoted(word);) all.push_back(word);
    }
  }
  for (const std::string& argument : given_) {
    const bool is_empty_value = argument.starts_with("--") && argument.find('=') == argument.size() - 1;
    const Flag* flag = is_empty_value ? flag_of(argument) : nullptr;
    require(flag == nullptr || flag->takes_value_,
            "{}: the value is empty; leave out the =, or give true or false",
            flag == nullptr ? argument : flag->name_);
    all.push_back(is_empty_value ? argument.substr(0, argument.size() - 1) : argument);
    if (is_empty_value) all.emplace_back();
  }
  return all;
}

std::string CommandLine::values() const {
  std::vector<std::string> members;
  for (const auto& flag : flags_) {
    if (!flag->is_positional_ && flag->store_)
      members.push_back(fmt::format("{}:{}", json_text(flag->name_), flag->json_));
  }
  return fmt::format("{{{}}}", fmt::join(members, ","));
}

// The meaning, then the allowed values and the default in parentheses.
std::string Flag::explanation() const {
  std::vector<std::string> notes;
  if (!choices_.empty() && placeholder_.find('|') == std::string::npos)
    notes.push_back(fmt::format("one of {}", fmt::join(choices_, ", ")));
  if (!range_.empty()) notes.push_back(range_);
  if (!default_text_.empty()) notes.push_back("default: " + default_text_);
  return notes.empty() ? help_ : fmt::format("{} ({})", help_, fmt::join(notes, "; "));
}

std::string CommandLine::help() const {
  std::string usage = program_ + " [FLAG]...";
  std::vector<HelpEntry> entries;
  for (const auto& flag : flags_) {
    if (flag->is_positional_) usage += " " + flag->name_ + "...";
    const std::string name = flag->name_ == "--help" ? "-h, --help" : flag->name_;
    const bool has_placeholder = flag->takes_value_ && !flag->is_positional_;
    entries.push_back({.group = flag->group_,
                       .flag = has_placeholder ? name + " " + flag->placeholder_ : name,
                       .text = flag->explanation()});
  }
  return layout_help(usage, entries);
}

void CommandLine::parse() {
  const Split split = split_arguments();
  const auto& [given, extras] = split;
  if (wants_help(given[0])) throw HelpRequested{help()};  // --help is declared first, by the constructor
  require_values(split);
  refuse_extras(extras);
  for (size_t i = 0; i < flags_.size(); ++i) {
    if (flags_[i]->is_positional_) {
      require(!given[i].empty(), "{}: name at least one (--help explains)", flags_[i]->name_);
      *positionals_ = given[i];
    } else if (!given[i].empty() && flags_[i]->store_) {
      flags_[i]->read(given[i].back());  // the last one counts, so flags in a script can be overridden
    }
  }
  refuse_excluded(split);
  require_order();
}

bool CommandLine::wants_help(const std::vector<std::string>& given) const {
  if (given.empty()) return false;
  try {
    return read_bool(given.back());
  } catch (const Error& error) {
    fail("--help: {}", error.what());
  }
}

void CommandLine::require_values(const Split& split) const {
  for (size_t i = 0; i < flags_.size(); ++i) {
    if (!flags_[i]->takes_value_ || flags_[i]->is_positional_ || split.given[i].empty()) continue;
    require(flag_of(split.given[i].back()) == nullptr, "{}: the value is missing; {} is a flag",
            flags_[i]->name_, split.given[i].back());
  }
}

void CommandLine::refuse_extras(const std::vector<std::string>& extras) const {
  for (const std::string& extra : extras) {
    if (extra == "--") continue;
    require(!extra.empty(), "an argument is empty, as a variable without a value leaves it; remove it");
    require(!extra.starts_with('-'), "{}: no such flag (--help lists them)", extra);
    std::error_code none;
    require(
        !std::filesystem::exists(extra, none),
        "{}: a file without a flag before it; quote a pattern, as in --data '*.bin', or the shell expands it",
        extra);
    fail("{}: unexpected; no flag before it takes a value (--help lists the flags)", extra);
  }
}

void CommandLine::refuse_excluded(const Split& split) const {
  const auto is_given = [&](const std::string& name) {
    for (size_t i = 0; i < flags_.size(); ++i)
      if (flags_[i]->name_ == name) return !split.given[i].empty();
    return false;
  };
  for (const auto& flag : flags_) {
    for (const std::string& other : flag->excluded_)
      require(!is_given(flag->name_) || !is_given(other),
              "{}: {} would be ignored beside it; give one of the two", flag->name_, other);
  }
}

void CommandLine::require_order() const {
  for (const auto& flag : flags_) {
    const Flag* other = flag->upper_.empty() ? nullptr : flag_of(flag->upper_);
    if (other == nullptr || flag->json_ == "null") continue;  // null: the flag was not given
    const double value = std::stod(flag->json_), bound = std::stod(other->json_);
    require(value <= bound, "{} {}: above {} {}", flag->name_, value, other->name_, bound);
  }
}

// The flag that an argument names, as --steps and --steps=20 do, or null.
const Flag* CommandLine::flag_of(const std::string& argument) const {
  const std::string name = argument.substr(0, argument.find('='));
  const auto found = std::find_if(flags_.begin(), flags_.end(), [&](const auto& flag) {
    return !flag->is_positional_ && flag->name_ == name;
  });
  return found == flags_.end() ? nullptr : found->get();
}

// CLI11 only splits the arguments into the texts given for each flag. Flag::read interprets the texts, so
// values are accepted and refused in the same way with every version of CLI11.
CommandLine::Split CommandLine::split_arguments() const {
  CLI::App splitter("", program_);
  splitter.set_help_flag("");
  splitter.allow_extras();
  std::vector<CLI::Option*> options;
  for (const auto& flag : flags_) {
    const std::string names = flag->name_ == "--help" ? "-h,--help" : flag->name_;
    CLI::Option* option = flag->takes_value_ ? splitter.add_option(names) : splitter.add_flag(names);
    option->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    if (flag->takes_value_) option->allow_extra_args(flag->is_positional_);
    if (flag->is_positional_) option->expected(0, CLI::detail::expected_max_vector_size);
    options.push_back(option);
  }
  std::vector<std::string> all = arguments();
  const std::string last = all.empty() ? "" : all.back();
  std::reverse(all.begin(), all.end());  // CLI11 reads the vector backwards
  try {
    splitter.parse(std::move(all));
  } catch (const CLI::ArgumentMismatch&) {
    fail("{}: the value is missing (--help lists the flags)", last);
  } catch (const CLI::ParseError& error) {
    std::string what = error.what();
    std::replace(what.begin(), what.end(), '\n', ' ');
    fail("{} (--help lists the flags)", what);
  }
  Split split{.given = {}, .extras = splitter.remaining()};
  for (const CLI::Option* option : options) split.given.push_back(option->results());
  return split;
}

}  // namespace gpt2::app
