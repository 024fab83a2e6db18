// ./course as a black box: every verb has help, and a wrong word or flag is one line. Nothing is built here.
#include <gtest/gtest.h>

#include <filesystem>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "paths.h"
#include "tests/common/files.h"
#include "tests/shell.h"

using namespace gpt2::testing;
namespace fs = std::filesystem;

namespace {

const std::string kCourse = GPT2_SOURCE_DIR "/course";
const std::vector<std::string> kVerbs = {"run",        "test",     "diff",   "timing", "plot",
                                         "data",       "exercise", "submit", "grade",  "handout",
                                         "gradescope", "site",     "llmc",   "doctor"};

}  // namespace

TEST(Course, EveryVerbHasHelp) {
  for (const std::string& verb : kVerbs) {
    const Outcome help = shell(kCourse + " " + verb + " --help");
    EXPECT_EQ(help.status, 0) << verb;
    EXPECT_EQ(help.output.find("./course " + verb), 0u) << help.output;
    EXPECT_EQ(help.output, shell(kCourse + " " + verb + " -h").output);
    EXPECT_EQ(help.output, shell(kCourse + " help " + verb).output);
    std::istringstream lines(help.output);
    for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 120u) << line;
  }
}

// Wherever --help stands, unless the flags behind -- are a step's.
TEST(Course, HelpIsGivenAmongOtherArguments) {
  const std::string help = shell(kCourse).output;
  for (const std::string arguments : {"help -h", "help --help", "-h", "--help --help"})
    EXPECT_EQ(shell(kCourse + " " + arguments).output, help) << arguments;
  for (const std::string arguments : {"data gpt2 --help", "run 04 --help", "test 04 -h", "diff 04 --help",
                                      "timing --rounds 3 --help", "plot a.jsonl -h", "doctor --help x"}) {
    const std::string verb = arguments.substr(0, arguments.find(' '));
    EXPECT_EQ(shell(kCourse + " " + arguments).output, shell(kCourse + " " + verb + " --help").output)
        << arguments;
  }
}

TEST(Course, SaysThatItsOutputCannotBePrinted) {
  std::vector<std::string> commands = {"", "--help", "diff 05", "doctor"};
  for (const std::string& verb : kVerbs) commands.push_back(verb + " --help");
  for (const char* verb : {"run 04", "test", "timing", "plot a.jsonl", "data gpt2"})
    EXPECT_EQ(shell(kCourse + " " + verb + " >&-").output,
              "course: standard output: it is closed; redirect it to a file or to /dev/null\n")
        << verb;
  for (const std::string& command : commands) {
    const Outcome full = shell(kCourse + " " + command + " > /dev/full");
    EXPECT_EQ(full.status, 1) << command;
    EXPECT_EQ(full.output, "course: standard output: No space left on device\n") << command;
    const Outcome closed = shell(kCourse + " " + command + " >&-");
    EXPECT_EQ(closed.status, 1) << command;
    EXPECT_EQ(closed.output, "course: standard output: it is closed; redirect it to a file or to /dev/null\n")
        << command;
    const Outcome unread = shell(kCourse + " " + command + " | true");
    EXPECT_EQ(unread.output, "") << command;
  }
}

TEST(Course, ANumberIsTakenAsItIsMeant) {
  const std::string number = ". " GPT2_SOURCE_DIR "/common/course.sh; whole_number ";
  for (const auto& [text, value] :
       std::vector<std::pair<std::string, std::string>>{{"10", "10"},
                                                        {"010", "10"},
                                                        {"1e1", "10"},
                                                        {"1_0", "10"},
                                                        {"+10", "10"},
                                                        {"10.0", "10"},
                                                        {"1.0e1", "10"},
                                                        {"5e3", "5000"},
                                                        {"0", "0"},
                                                        {"123456789", "123456789"}})
    EXPECT_EQ(shell("bash -c '" + number + text + "'").output, value + "\n") << text;
  for (const std::string text :
       {"''", "ten", "-1", "1.5", "1e", "0x10", "1,000", "5k", "1e-1", "99999999999"})
    EXPECT_NE(shell("bash -c \"" + number + text + "\"").status, 0) << text;
}

TEST(Course, DataIsNotDownloadedIntoALinkToNowhere) {
  TempDir folder;
  fs::create_directory(folder / "data");
  fs::copy_file(GPT2_SOURCE_DIR "/data/fetch", folder / "data/fetch");
  fs::create_symlink("nowhere", folder / "data/gpt2");
  EXPECT_EQ(
      shell((folder / "data/fetch") + " gpt2").output,
      "course: data/gpt2: a link to nowhere, which does not exist; make that folder or remove the link\n");
  put_file(folder / "data/shakespeare", "");
  EXPECT_EQ(shell((folder / "data/fetch") + " shakespeare").output,
            "course: data/shakespeare: this folder cannot be made (File exists)\n");
}

TEST(Course, HelpNamesEveryVerb) {
  const Outcome help = shell(kCourse);
  EXPECT_EQ(help.status, 0);
  for (const std::string& verb : kVerbs)
    EXPECT_NE(help.output.find("  ./course " + verb), std::string::npos) << verb;
  EXPECT_EQ(help.output, shell(kCourse + " --help").output);
}

TEST(Course, AWrongWordOrFlagIsOneLine) {
  for (const auto& [arguments, message] : std::vector<std::pair<std::string, std::string>>{
           {"fly",
            "course: unknown verb fly; there are run, test, diff, timing, plot, data, exercise, submit, "
            "grade, handout, gradescope, site, llmc, doctor"},
           {"help fly", "course: unknown verb fly"},
           {"--colour", "course: unknown verb --colour"},
           {"''", "course: the verb is empty; there are run, test"},
           {"help ''", "course: an argument is empty"},
           {"run ''", "course: an argument is empty"},
           {"diff ''", "course: an argument is empty"},
           {"data ''", "course: an argument is empty"},
           {"timing --rounds many", "timing: --rounds many: expected a number from 1"},
           {"timing --steps 3e0", "timing: --steps 3e0: expected a number from 4"},
           {"timing --batch 1.5", "timing: --batch 1.5: expected a number from 1"},
           {"data fineweb-edu --shards 1002", "course: --shards 1002: expected a number from 1 to 1001"},
           {"data fineweb-edu --shards 1.5", "course: --shards 1.5: expected a number from 1 to 1001"},
           {"data fineweb-edu --shards 1e9", "course: --shards 1e9: expected a number from 1 to 1001"},
           {"run 99", "course: no step 99; there are 01_module 02_hf_weights"},
           {"run --colour", "course: run --colour: no such flag (./course run --help)"},
           {"run 04 --steps 20", "course: flags come after --: ./course run 04_overfit -- --steps 20"},
           {"test 99", "course: no step 99"},
           {"test --colour", "course: test --colour: no such flag (./course test --help)"},
           {"test 04 05", "course: test takes one step, got 04 05"},
           {"diff", "course: diff needs a step"},
           {"diff 99", "course: no step 99"},
           {"diff 1", "course: 01_module is the first step"},
           {"diff --colour", "course: diff --colour: no such flag (./course diff --help)"},
           {"diff 04 05", "course: diff takes one step, got 04 05"},
           {"timing --colour", "timing: --colour: no such flag (./course timing --help)"},
           {"timing 04", "timing: 04: no such flag"},
           {"plot --colour", "plot: --colour: no such flag (./course plot --help)"},
           {"plot", "plot: which log?"},
           {"data", "course: data needs a name"},
           {"data fly", "course: no data fly; there are gpt2"},
           {"data --colour", "course: data --colour: no such flag (./course data --help)"},
           {"site --colour", "course: site --colour: no such flag (./course site --help)"},
           {"site --serve here", "course: site --serve takes one port number"},
           {"doctor fly", "course: doctor fly: no such argument (./course doctor --help)"}}) {
    const Outcome outcome = shell(kCourse + " " + arguments);
    EXPECT_EQ(outcome.status, 1) << arguments;
    EXPECT_EQ(outcome.output.find(message), 0u) << arguments << ": " << outcome.output;
    EXPECT_EQ(outcome.output.find('\n'), outcome.output.size() - 1) << outcome.output;
  }
}

TEST(Course, ANumberOfRanksThatIsNoneIsOneLine) {
  for (const char* ranks : {"0", "-1", "two", "1.5"}) {
    const Outcome outcome = shell(std::string(GPT2_SOURCE_DIR "/common/dist/launch ") + ranks + " echo");
    EXPECT_EQ(outcome.status, 1) << ranks;
    EXPECT_EQ(outcome.output,
              "course: COURSE_RANKS is " + std::string(ranks) + ": expected a number of processes from 1\n");
  }
}

TEST(Course, DiffShowsTheStepBeforeAgainstTheStep) {
  const Outcome outcome = shell(kCourse + " diff 5");
  EXPECT_EQ(outcome.status, 0);
  EXPECT_NE(outcome.output.find("--- a/steps/04_overfit/train_gpt2.cpp"), std::string::npos)
      << outcome.output;
  EXPECT_NE(outcome.output.find("+++ b/steps/05_tf32/train_gpt2.cpp"), std::string::npos) << outcome.output;
}

TEST(Course, WorksThroughALinkAndFromAnyFolder) {
  TempDir folder;
  fs::create_symlink(kCourse, folder / "first");
  fs::create_symlink("first", folder / "second");
  EXPECT_EQ(
      shell("cd " + folder.path() + " && ./second diff 1").output.find("course: 01_module is the first"), 0u);
}

TEST(Course, DoctorChangesNothing) {
  const Outcome outcome = shell(kCourse + " doctor");
  EXPECT_EQ(outcome.status, 0);
  EXPECT_NE(outcome.output.find("./course builds the preset"), std::string::npos) << outcome.output;
}

TEST(Course, IsADispatcherOfAtMost200Lines) {
  const std::string text = file_bytes(kCourse);
  EXPECT_LE(std::count(text.begin(), text.end(), '\n'), 200);
}

TEST(GitIgnore, KnowsWhatTheDocumentedCommandsWrite) {
  const std::string git = "cd " GPT2_SOURCE_DIR " && git ";
  if (shell(git + "rev-parse").status != 0) GTEST_SKIP() << "not a git checkout";
  for (const char* path :
       {"build/cpu/bin/04_overfit", "runs/tales/log.jsonl", "wpe.png", "logits.npy", "s.jsonl",
        "endings.jsonl", "run.svg", "books_train.txt", "work/04.cpp", "data/gpt2", "data/gpt2-xl",
        "data/shakespeare", "data/hellaswag", "data/fineweb-edu", "data/books"})
    EXPECT_EQ(shell(git + "check-ignore -q " + path).status, 0) << path;
  EXPECT_EQ(shell(git + "ls-files --cached --ignored --exclude-standard").output, "")
      << "tracked, but ignored";
}
