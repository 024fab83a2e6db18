#include "common/app/command_line.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>

#include "common/app/help.h"
#include "common/base/error.h"
#include "paths.h"
#include "tests/common/files.h"

namespace gpt2::testing {
namespace {

enum class Precision { full, half };

// One flag of each kind, with the variables they write to.
struct Flags {
  std::string text = "tales", size = "small";
  std::optional<std::string> maybe_text;
  bool on = false;
  uint64_t seed = 1337;
  int64_t count = 0;
  double rate = 0.5;
  std::optional<int64_t> maybe_count;
  std::optional<double> maybe_rate;
  Precision precision = Precision::half;
  std::optional<Precision> maybe_precision;
  nlohmann::json values;
  std::string help;

  explicit Flags(std::vector<std::string> arguments) {
    std::vector<char*> argv;
    arguments.insert(arguments.begin(), "program");
    for (std::string& argument : arguments) argv.push_back(argument.data());
    app::CommandLine line("program", int(argv.size()), argv.data());
    add_to(line);
    help = line.help();
    line.parse();
    values = nlohmann::json::parse(line.values());
  }

  void add_to(app::CommandLine& line) {
    line.add("--text", text, "a text").placeholder("FILE");
    line.add("--maybe-text", maybe_text, "a text or nothing").may_be_empty();
    line.group("Numbers");
    line.add("--seed", seed, "a seed");
    line.add("--count", count, 1, int64_t{1} << 40, "a count").default_text("4 for tiny; else 16");
    line.add("--rate", rate, 0, 1, "a rate");
    line.add("--maybe-count", maybe_count, 1, 65535, "a count or nothing");
    line.add("--maybe-rate", maybe_rate, 0, 1, "a rate or nothing").default_text("a tenth of --rate");
    line.group("Choices");
    line.add("--size", size, {"small", "medium", "large", "extra-large"}, "a size");
    line.add("--precision", precision, {{"full", Precision::full}, {"half", Precision::half}}, "a precision");
    line.add("--maybe-precision", maybe_precision, {{"full", Precision::full}, {"half", Precision::half}},
             "a precision or nothing");
    line.group("General");
    line.add("--on", on, "a flag without a value");
    line.add_presets({{"first", "--count 3 --rate 0.25 --on"}, {"second", "--count 5"}});
  }
};

TEST(CommandLine, LeavesDefaultsAlone) {
  const Flags flags({});
  EXPECT_EQ(flags.text, "tales");
  EXPECT_EQ(flags.count, 0);
  EXPECT_FALSE(flags.maybe_text || flags.maybe_count || flags.maybe_rate || flags.maybe_precision);
  EXPECT_EQ(flags.precision, Precision::half);
}

TEST(CommandLine, ReadsEveryKindOfFlag) {
  for (const bool joined : {false, true}) {
    std::vector<std::string> arguments = {"--on"};
    for (const auto& [flag, value] : std::map<std::string, std::string>{{"--text", "a file, with=comma"},
                                                                        {"--maybe-text", "x"},
                                                                        {"--seed", "18446744073709551615"},
                                                                        {"--count", "1_000"},
                                                                        {"--rate", ".25"},
                                                                        {"--maybe-count", "1e3"},
                                                                        {"--maybe-rate", "1e-3"},
                                                                        {"--size", "large"},
                                                                        {"--precision", "full"},
                                                                        {"--maybe-precision", "half"}}) {
      if (joined)
        arguments.push_back(flag + "=" + value);
      else
        arguments.insert(arguments.end(), {flag, value});
    }
    const Flags flags(arguments);
    EXPECT_TRUE(flags.on);
    EXPECT_EQ(flags.text, "a file, with=comma");
    EXPECT_EQ(flags.maybe_text, "x");
    EXPECT_EQ(flags.seed, 18446744073709551615u);
    EXPECT_EQ(flags.count, 1000);
    EXPECT_EQ(flags.rate, 0.25);
    EXPECT_EQ(flags.maybe_count, 1000);
    EXPECT_EQ(flags.maybe_rate, 1e-3);
    EXPECT_EQ(flags.size, "large");
    EXPECT_EQ(flags.precision, Precision::full);
    EXPECT_EQ(flags.maybe_precision, Precision::half);
  }
}

TEST(CommandLine, TakesTheLastOfAFlagGivenTwice) {
  EXPECT_EQ(Flags({"--count", "3", "--count=4"}).count, 4);
  EXPECT_FALSE(Flags({"--on", "--on=false"}).on);
  EXPECT_TRUE(Flags({"--on=off", "--on"}).on);
}

TEST(CommandLine, AFlagOverridesThePresetWhereverItStands) {
  EXPECT_EQ(Flags({"--preset", "first"}).count, 3);
  EXPECT_EQ(Flags({"--count", "7", "--preset=first"}).count, 7);
  EXPECT_EQ(Flags({"--preset", "first"}).rate, 0.25);
  EXPECT_FALSE(Flags({"--preset", "first", "--on=false"}).on);
  EXPECT_EQ(Flags({"--preset", "first", "--preset", "second"}).count, 5);
}

TEST(CommandLine, RefusesWhatItCannotRead) {
  const std::pair<std::vector<std::string>, std::string> table[] = {
      {{"--cuont", "3"}, "--cuont: no such flag"},
      {{"-x"}, "-x: no such flag"},
      {{"stray"}, "stray: unexpected"},
      {{"--on", "stray"}, "stray: unexpected"},
      {{"--", "--count", "3"}, "--count: no such flag"},
      {{"--count"}, "--count: the value is missing"},
      {{"--on", "--count"}, "--count: the value is missing"},
      {{"--text", "--count", "3"}, "--text: the value is missing; --count is a flag"},
      {{"--text", "--count=3"}, "--text: the value is missing; --count=3 is a flag"},
      {{"--text", ""}, "--text: the value is empty; give FILE or leave out the flag"},
      {{"--text=", "--count=3"}, "--text: the value is empty"},
      {{"--count="}, "--count: the value is empty"},
      {{"--count", "0"}, "--count: 0 is not in range 1 to 1099511627776"},
      {{"--count", "1,000"}, "--count: 1,000 has a comma"},
      {{"--maybe-count", "65536"}, "--maybe-count: 65536 is not in range 1 to 65535"},
      {{"--seed", "-1"}, "--seed: -1 is not in range"},
      {{"--rate", "nan"}, "--rate: nan is not a number"},
      {{"--maybe-rate", "2"}, "--maybe-rate: 2 is not in range 0 to 1"},
      {{"--size", "tiny"}, "--size: tiny is not one of small, medium, large, extra-large"},
      {{"--precision", "Half"}, "--precision: Half is not one of full, half"},
      {{"--precision", ""}, "--precision: the value is empty"},
      {{"--maybe-precision", "x"}, "--maybe-precision: x is not one of full, half"},
      {{"--on=maybe"}, "--on: maybe is not one of true, false"},
      {{"--on="}, "--on: the value is empty; leave out the =, or give true or false"},
      {{"--help="}, "--help: the value is empty"},
      {{"--help=maybe"}, "--help: maybe is not one of true, false"},
      {{""}, "an argument is empty"},
      {{"--count", "3", ""}, "an argument is empty"},
      {{"--on", ""}, "an argument is empty"},
      {{"--rate", "50%"}, "--rate: 50% is a percentage; write the fraction, such as 0.5 for 50%"},
      {{"--preset", "third"}, "--preset: third is not one of first, second"},
  };
  for (const auto& [arguments, message] : table) EXPECT_ERROR(Flags(arguments), message);
}

TEST(CommandLine, KeepsAValueThatLooksLikeAFlagOrIsEmptyWhereThatIsMeant) {
  EXPECT_EQ(Flags({"--text", "-"}).text, "-");
  EXPECT_EQ(Flags({"--text", "--unknown"}).text, "--unknown");
  EXPECT_EQ(Flags({"--maybe-text", ""}).maybe_text, "");
  EXPECT_EQ(Flags({"--maybe-text="}).maybe_text, "");
}

TEST(CommandLine, ValuesAreWhatWasReadHoweverItWasWritten) {
  const auto values = [](const std::vector<std::string>& arguments) { return Flags(arguments).values; };
  EXPECT_EQ(values({})["--count"], 0);
  EXPECT_EQ(values({})["--on"], "");
  EXPECT_EQ(values({})["--maybe-rate"], nullptr);
  EXPECT_EQ(values({})["--precision"], "half");
  EXPECT_EQ(values({"--on"})["--on"], "true");
  EXPECT_EQ(values({"--text", "123"})["--text"], "123");
  EXPECT_EQ(values({"--count", "1e3", "--rate", "5e-1", "--on=off"}), values({"--count=1000", "--rate=.5"}));
  EXPECT_FALSE(values({}).contains("--help"));
}

TEST(CommandLine, HelpThatIsSwitchedOffIsNone) {
  for (const std::string flag : {"--help=false", "--help=off", "--help=0"})
    EXPECT_EQ(Flags({"--count", "3", flag}).count, 3);
}

TEST(CommandLine, HelpEndsTheParsing) {
  for (const std::string flag : {"--help", "-h", "--help=true"}) {
    try {
      Flags({"--count", "0", flag});
      FAIL() << flag;
    } catch (const app::HelpRequested& help) {
      EXPECT_EQ(help.text, Flags({}).help);
    }
  }
}

TEST(CommandLine, HelpGroupsTheFlagsAndSaysWhatTheyTake) {
  EXPECT_EQ(Flags({}).help, R"(Usage: program [FLAG]...

General:
  -h, --help                  print this help and exit
  --text FILE                 a text (default: tales)
  --maybe-text TEXT           a text or nothing
  --on                        a flag without a value
  --preset first|second       set many flags at once; flags given beside it override it

Numbers:
  --seed N                    a seed (default: 1337)
  --count N                   a count (default: 4 for tiny; else 16)
  --rate X                    a rate (0 to 1; default: 0.5)
  --maybe-count N             a count or nothing (1 to 65535)
  --maybe-rate X              a rate or nothing (0 to 1; default: a tenth of --rate)

Choices:
  --size NAME                 a size (one of small, medium, large, extra-large; default: small)
  --precision full|half       a precision (default: half)
  --maybe-precision full|half
                              a precision or nothing
)");
}

TEST(LayoutHelp, NeverExceedsItsWidthUnlessAWordDoes) {
  std::string words;
  for (int i = 0; i < 100; ++i) words += "word" + std::string(size_t(i % 7), 'x') + " ";
  const std::string help =
      app::layout_help("program", {{"A", "--flag", words}, {"A", "--url", std::string(150, 'u')}});
  std::istringstream lines(help);
  size_t longest = 0;
  for (std::string line; std::getline(lines, line);) {
    EXPECT_FALSE(line.ends_with(' ')) << line;
    if (line.find("uuu") == std::string::npos) longest = std::max(longest, line.size());
  }
  EXPECT_LE(longest, 100u);
  EXPECT_GT(longest, 90u);
  EXPECT_NE(help.find(std::string(150, 'u')), std::string::npos);
}

TEST(CommandLine, ValuesWithoutAFlagAreTakenInOrder) {
  const auto files = [](std::vector<std::string> arguments) {
    std::vector<char*> argv;
    arguments.insert(arguments.begin(), "program");
    for (std::string& argument : arguments) argv.push_back(argument.data());
    app::CommandLine line("program", int(argv.size()), argv.data());
    std::vector<std::string> files;
    std::string out = "o";
    line.add_values("FILE", files, "files");
    line.add("--out", out, "a folder");
    line.parse();
    files.push_back(out);
    return files;
  };
  EXPECT_EQ(files({"a", "b"}), (std::vector<std::string>{"a", "b", "o"}));
  EXPECT_EQ(files({"a", "--out", "x", "b"}), (std::vector<std::string>{"a", "b", "x"}));
  EXPECT_EQ(files({"--out", "x", "--", "-b"}), (std::vector<std::string>{"-b", "x"}));
  EXPECT_ERROR(files({"--out", "x"}), "FILE: name at least one");
  EXPECT_ERROR(files({"a", "--count", "3"}), "--count: no such flag");
}

// A line with an input, two outputs, and flags that exclude others.
struct Paths {
  std::string input, log, npy, a, b, c;

  explicit Paths(std::vector<std::string> arguments) {
    std::vector<char*> argv;
    arguments.insert(arguments.begin(), "program");
    for (std::string& argument : arguments) argv.push_back(argument.data());
    app::CommandLine line("program", int(argv.size()), argv.data());
    line.add("--input", input, "an input").input();
    line.add("--log", log, "a log").output(app::OutputKind::log);
    line.add("--npy", npy, "an array").output(app::OutputKind::npy);
    line.add("--a", a, "a").excludes({"--b", "--c"});
    line.add("--b", b, "b");
    line.add("--c", c, "c").excludes({"--b"});
    line.add_presets({{"with-b", "--b 1"}});
    line.parse();
  }
};

TEST(CommandLine, RefusesFlagsOfWhichOneWouldBeIgnored) {
  const std::pair<std::vector<std::string>, std::string> table[] = {
      {{"--a", "1", "--b", "1"}, "--a: --b would be ignored beside it; give one of the two"},
      {{"--b", "1", "--a", "1"}, "--a: --b would be ignored"},
      {{"--a", "1", "--c=1"}, "--a: --c would be ignored"},
      {{"--b", "1", "--c", "1"}, "--c: --b would be ignored"},
      {{"--preset", "with-b", "--a", "1"}, "--a: --b would be ignored"}};
  for (const auto& [arguments, message] : table) EXPECT_ERROR(Paths(arguments), message);
  for (const std::string flag : {"--a", "--b", "--c"}) EXPECT_NO_THROW(Paths({flag, "1"}));
}

TEST(CommandLine, AnOutputNeverReplacesAFileOfAnotherKind) {
  const TempDir dir;
  put_file(dir / "text", "To be\n");
  put_file(dir / "log", "{\"event\":\"config\"}\n");
  EXPECT_EQ(Paths({"--log", dir / "log"}).log, dir / "log");
  EXPECT_EQ(Paths({"--npy", dir / "new"}).npy, dir / "new");
  EXPECT_ERROR(Paths({"--log", dir / "text"}),
               "--log: " + dir / "text" + ": the file exists and is not a log");
  EXPECT_ERROR(Paths({"--npy", dir / "log"}),
               "--npy: " + dir / "log" + ": the file exists and is not a .npy file");
}

TEST(CommandLine, AnInputInDataIsTheRepositorysFromAnyFolder) {
  const std::string root = std::filesystem::canonical(GPT2_SOURCE_DIR).string() + "/";
  if (!std::filesystem::canonical("/proc/self/exe").string().starts_with(root))
    GTEST_SKIP() << "built outside the repository";
  const TempDir dir;
  const std::filesystem::path before = std::filesystem::current_path();
  std::filesystem::current_path(dir.path());
  for (const auto& [given, read] : std::vector<std::pair<std::string, std::string>>{
           {"data/fixtures/tiny-gpt2", root + "data/fixtures/tiny-gpt2"},
           {"data/fixtures/*.x", root + "data/fixtures/*.x"},
           {"data/no-such-thing", "data/no-such-thing"},
           {"other/data", "other/data"}})
    EXPECT_EQ(Paths({"--input", given}).input, read);
  EXPECT_EQ(Paths({"--log", "data/fixtures"}).log, "data/fixtures");  // an output stays where it is
  std::filesystem::current_path(before);
}

}  // namespace
}  // namespace gpt2::testing
