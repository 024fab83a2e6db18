// What holds for every program: --help, numbers, and standard streams that are full, closed or no longer read.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "paths.h"
#include "tests/common/files.h"

namespace gpt2::testing {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> steps() {
  std::vector<std::string> names;
  for (const auto& folder : fs::directory_iterator(GPT2_SOURCE_DIR "/steps")) {
    if (fs::exists(folder.path() / "train_gpt2.cpp")) names.push_back(folder.path().filename());
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::vector<std::string> programs() {
  std::vector<std::string> names = steps();
  names.insert(names.end(), {"tokenize", "convert", "tales"});
  return names;
}

// Programs whose arguments without a flag are files.
bool takes_files(const std::string& program) { return program == "tokenize" || program == "convert"; }

// A text that is read at once; the 4 MB of tales take a fifth of a second.
const std::string kText = GPT2_SOURCE_DIR "/LICENSE";

// Flags of a run that ends at once.
std::vector<std::string> short_run(const std::string& program) {
  if (program == "tales") return {"--bytes", "20000"};
  std::vector<std::string> flags = {"--device", "cpu", "--data", kText};
  if (program == "03_sampling") {
    flags.insert(flags.end(), {"--num-sequences", "1", "--max-tokens", "2"});
    return flags;
  }
  flags.insert(flags.end(), {"--batch", "1", "--seq", "16", "--steps", "2"});
  if (program >= "11") flags.insert(flags.end(), {"--total-batch", "16"});
  return flags;
}

// What a program's stdin, stdout or stderr is connected to.
enum class Stream { captured, closed, full, unread };  // unread: a pipe whose other end is closed

struct Streams {
  Stream in = Stream::captured, out = Stream::captured,
         error = Stream::captured;  // a captured stdin is empty
};

struct Result {
  int status;  // the exit status; 1000 plus the signal if one ended the program
  std::string out, error;
};

void connect(Stream stream, int descriptor, const std::string& capture) {
  int from = -1;
  if (stream == Stream::closed) {
    close(descriptor);
    return;
  }
  if (stream == Stream::full) {
    from = open("/dev/full", O_RDWR);
  } else if (stream == Stream::captured) {
    from = open(capture.c_str(), O_RDWR | O_CREAT, 0600);
  } else {
    int ends[2];
    if (pipe(ends) != 0) _exit(99);
    close(ends[0]);
    from = ends[1];
  }
  dup2(from, descriptor);
  close(from);
}

Result run(const std::string& program, std::vector<std::string> flags, Streams streams = {}) {
  const TempDir folder;
  const std::string path = std::string(GPT2_BIN_DIR "/") + program, in = folder / "in", out = folder / "out",
                    error = folder / "error";
  flags.insert(flags.begin(), path);
  std::vector<char*> argv;
  for (std::string& flag : flags) argv.push_back(flag.data());
  argv.push_back(nullptr);
  const pid_t child = fork();
  if (child == 0) {
    setenv("OMP_NUM_THREADS", "1", 0);  // tests run beside each other: another thread only waits
    if (chdir(GPT2_SOURCE_DIR) != 0) _exit(99);
    signal(SIGPIPE, SIG_DFL);
    // From the last to the first, so that what is opened on the way never takes a closed stream's place.
    connect(streams.error, STDERR_FILENO, error);
    connect(streams.out, STDOUT_FILENO, out);
    connect(streams.in, STDIN_FILENO, in);
    execv(path.c_str(), argv.data());
    _exit(99);
  }
  int status = 0;
  waitpid(child, &status, 0);
  const auto text_of = [](const std::string& file) { return fs::exists(file) ? file_bytes(file) : ""; };
  return {WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status), text_of(out), text_of(error)};
}

// One line on stderr that begins with the program's name and contains `expected`, and exit status 1.
void expect_one_line(const std::string& program, const Result& result, const std::string& expected) {
  EXPECT_EQ(result.status, 1) << program;
  EXPECT_EQ(result.error.find(program + ": "), 0u) << result.error;
  EXPECT_NE(result.error.find(expected), std::string::npos) << result.error << "expected: " << expected;
  EXPECT_EQ(result.error.find('\n'), result.error.size() - 1) << result.error;
}

// ---- --help

const std::string& help_of(const std::string& program) {
  static std::map<std::string, std::string> texts;
  const auto [text, is_new] = texts.emplace(program, "");
  if (is_new) text->second = run(program, {"--help"}).out;
  return text->second;
}

// The flags with a number in --help: "--batch N", "--max-lr X".
std::vector<std::string> number_flags(const std::string& help) {
  std::vector<std::string> flags;
  std::istringstream lines(help);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string flag, placeholder;
    words >> flag >> placeholder;
    if (line.starts_with("  --") && (placeholder == "N" || placeholder == "X")) flags.push_back(flag);
  }
  return flags;
}

TEST(EveryProgram, ExplainsItsFlags) {
  for (const std::string& program : programs()) {
    const Result result = run(program, {"--help"});
    EXPECT_EQ(result.status, 0) << program;
    EXPECT_EQ(result.error, "") << program;
    EXPECT_EQ(result.out.find("Usage: " + program + " [FLAG]..."), 0u) << result.out;
    EXPECT_NE(result.out.find("\nGeneral:\n  -h, --help "), std::string::npos) << result.out;
    EXPECT_EQ(run(program, {"-h"}).out, result.out) << program;
    // No library's own notation, no bounds that only prevent overflow, no defaults that mean "not given".
    for (const std::string riddle :
         {"INT", "FLOAT", "TEXT:", " in [", "10995116", "9223372036854775807", "default: )",
          "--batch N                   sequences per batch (default: 0"}) {
      EXPECT_EQ(result.out.find(riddle), std::string::npos) << program << ": " << riddle << "\n"
                                                            << result.out;
    }
    std::istringstream lines(result.out);
    for (std::string line; std::getline(lines, line);) {
      EXPECT_LE(line.size(), 100u) << program << ": " << line;
    }
    const bool has_numbers = program != "convert";
    EXPECT_EQ(number_flags(result.out).size() >= 2, has_numbers) << result.out;
  }
}

TEST(EveryProgram, ExplainsAFlagWithTheSameWordsAsTheOthers) {
  std::map<std::string, std::string> explanation;  // of the flags that are shared by steps
  for (const std::string& step : steps()) {
    if (step.starts_with("02") || step.starts_with("03")) continue;  // --ids has two meanings
    std::istringstream lines(help_of(step));
    std::string flag;
    std::map<std::string, std::string> own;
    for (std::string line; std::getline(lines, line);) {
      if (line.starts_with("  --")) flag = line.substr(0, line.find(' ', 2));
      if (line.empty()) flag.clear();
      own[flag] += line + "\n";
    }
    own.erase("");
    for (const auto& [name, text] : own) {
      const auto [found, is_new] = explanation.emplace(name, text);
      EXPECT_EQ(found->second, text) << step;
    }
  }
}

// ---- numbers and empty values

TEST(EveryProgram, RefusesEveryNumberThatIsNotOneNamingFlagAndReason) {
  const std::pair<std::string, std::string> table[] = {
      {"", "the value is empty"},      {"1,000", "1,000 has a comma"},
      {"0x10", "0x10 is hexadecimal"}, {"99999999999999999999", "99999999999999999999 is not in range"},
      {"5k", "5k has a unit"},         {"many", "many is not a number"},
      {"50%", "50% is a percentage"}};
  std::map<std::string, size_t> next;  // each program that has a flag is given the next of the values
  for (const std::string& program : programs()) {
    for (const std::string& flag : number_flags(help_of(program))) {
      const auto& [value, reason] = table[next.emplace(flag, next.size()).first->second++ % std::size(table)];
      std::vector<std::string> flags = {flag, value};
      if (takes_files(program)) flags.emplace_back("no_file");
      expect_one_line(program, run(program, flags), flag + ": " + reason);
    }
  }
}

TEST(EveryProgram, RefusesAnEmptyValue) {
  bool is_joined = false;  // --flag= and --flag '', by turns
  for (const std::string& program : programs()) {
    std::istringstream lines(help_of(program));
    for (std::string line; std::getline(lines, line);) {
      std::istringstream words(line);
      std::string flag, placeholder;
      words >> flag >> placeholder;
      const bool takes_text = placeholder == "TEXT" || placeholder == "FILE" || placeholder == "DIR" ||
                              placeholder == "DATA" || placeholder == "MODEL" || placeholder == "NAME" ||
                              placeholder == "TOKENIZER" || placeholder == "DEVICE" || placeholder == "IDS";
      if (!line.starts_with("  --") || !takes_text || flag == "--print-ids" || flag == "--prompt") continue;
      is_joined = !is_joined;
      std::vector<std::string> flags =
          is_joined ? std::vector<std::string>{flag + "="} : std::vector<std::string>{flag, ""};
      if (takes_files(program)) flags.emplace_back("no_file");
      expect_one_line(program, run(program, flags), flag + ": the value is empty");
    }
  }
}

TEST(EveryProgram, RefusesAFlagWhoseValueIsMissing) {
  for (const std::string& program : programs()) {
    std::vector<std::string> flags = {takes_files(program) ? "--out" : "--seed"};
    if (takes_files(program)) flags.insert(flags.begin(), "no_file");
    expect_one_line(program, run(program, flags), flags.back() + ": the value is missing");
  }
  expect_one_line("04_overfit", run("04_overfit", {"--log", "--steps", "5"}), "--log: the value is missing");
  expect_one_line("04_overfit", run("04_overfit", {"--overfit", "5"}), "5: unexpected");
  expect_one_line("04_overfit", run("04_overfit", {"--stepz", "5"}), "--stepz: no such flag");
  expect_one_line("tokenize", run("tokenize", {"--out", "x"}), "FILE: name at least one");
}

TEST(Numbers, AreTakenAsTheyAreMeant) {
  for (const std::string steps : {"010", "1e1", "1_0", "+10", "10.0", "1.0e1"}) {
    const TempDir folder;
    const Result result = run(
        "04_overfit", {"--device", "cpu", "--data", kText, "--batch", "1", "--seq", "8", "--steps", steps});
    EXPECT_EQ(result.status, 0) << result.error;
    EXPECT_NE(result.out.find("step    9 |"), std::string::npos) << steps << "\n" << result.out;
    EXPECT_EQ(result.out.find("step   10 |"), std::string::npos) << steps << "\n" << result.out;
  }
}

TEST(PrintIds, PrintsWhatIdsReads) {
  for (const std::string text : {"a", "Once upon a time", "tabs\tand\nlines", "ä 😀", " "}) {
    const Result printed = run("03_sampling", {"--device", "cpu", "--print-ids", text});
    EXPECT_EQ(printed.status, 0) << printed.error;
    const std::string ids = printed.out.substr(0, printed.out.size() - 1);
    const TempDir folder;
    const Result sampled = run("03_sampling", {"--device", "cpu", "--ids", ids, "--num-sequences", "1",
                                               "--max-tokens", "1", "--log", folder / "log"});
    EXPECT_EQ(sampled.status, 0) << sampled.error;
    std::istringstream log(file_bytes(folder / "log"));
    for (std::string line; std::getline(log, line);) {
      const auto event = nlohmann::json::parse(line);
      if (event.at("event") != "sample") continue;
      std::string before;
      for (size_t i = 0; i + 1 < event.at("ids").size(); ++i)
        before += (i > 0 ? "," : "") + std::to_string(event.at("ids")[i].get<int>());
      EXPECT_EQ(before, ids);
    }
  }
  const Result nothing = run("03_sampling", {"--device", "cpu", "--print-ids", ""});
  EXPECT_EQ(nothing.status, 0) << nothing.error;
  EXPECT_EQ(nothing.out, "\n");  // the empty text has no ids; nothing is sampled
}

TEST(EveryProgram, RefusesAnEmptyArgument) {
  for (const std::string& program : programs()) {
    if (!takes_files(program)) expect_one_line(program, run(program, {""}), "an argument is empty");
    const Result help = run(program, {"--help=maybe"});
    expect_one_line(program, help, "--help: maybe is not one of true, false");
  }
  expect_one_line("04_overfit", run("04_overfit", {"--overfit="}),
                  "--overfit: the value is empty; leave out the =");
}

// ---- sizes

// Neither a crash nor another reason, wherever the product of the sizes would overflow.
TEST(EveryStep, SaysThatABatchIsTooLarge) {
  const std::pair<std::string, std::string> batches[] = {
      {"1e9", "1000000000"}, {"1e11", "100000000000"}, {"1e12", "1000000000000"}};
  for (const std::string& step : steps()) {
    if (step.starts_with("03")) continue;  // it reads no batch
    const bool trains = step >= "04";
    for (const auto& [given, batch] : batches) {
      for (const std::string model : {"tiny", "gpt2"}) {
        if (!trains && model == "gpt2") continue;  // the batch is refused before there is a model
        const Result result =
            run(step, {"--device", "cpu", "--data", kText, "--model", model, "--batch", given});
        expect_one_line(step, result,
                        trains ? "--batch " + batch + " x --seq " : "do not fill a batch of " + batch);
        if (trains) expect_one_line(step, result, "a training step needs ");
      }
    }
  }
}

TEST(EveryProgram, SaysThatTheNumberOfThreadsIsTooLarge) {
  for (const std::string& program : programs()) {
    for (const std::string threads : {"100000", "2147483647"}) {
      setenv("OMP_NUM_THREADS", threads.c_str(), 1);
      const Result result = run(program, short_run(program));
      unsetenv("OMP_NUM_THREADS");
      expect_one_line(program, result, "OMP_NUM_THREADS is " + threads + ", more than the 1024 threads");
    }
  }
}

// ---- outputs

TEST(EveryStep, NeverReplacesAFileThatIsNoLog) {
  for (const std::string& step : steps()) {
    const TempDir folder;
    put_file(folder / "text", "To be, or not to be\n");
    std::vector<std::string> flags = short_run(step);
    flags.insert(flags.end(), {"--log", folder / "text"});
    expect_one_line(step, run(step, flags), "text: the file exists and is not a log");
    EXPECT_EQ(file_bytes(folder / "text"), "To be, or not to be\n");
    ASSERT_EQ(mkfifo((folder / "pipe").c_str(), 0600), 0);
    flags.back() = folder / "pipe";
    expect_one_line(step, run(step, flags), "pipe: a pipe that nobody reads");
  }
}

TEST(Log, MayBeAPipe) {
  const TempDir folder;
  const std::string command = "cd " + folder.path() +
                              " && bash -c '" GPT2_BIN_DIR
                              "/04_overfit --device cpu --batch 1 --seq 16 --steps 2 --data " +
                              kText + " --log >(cat > copy) > /dev/null; wait $!'";
  EXPECT_EQ(std::system(command.c_str()), 0);
  EXPECT_NE(file_bytes(folder / "copy").find("{\"event\":\"done\""), std::string::npos);
}

// ---- streams

TEST(EveryProgram, EndsWithStatusOneIfItsErrorCannotBePrinted) {
  for (const std::string& program : programs()) {
    for (const Stream error : {Stream::closed, Stream::full, Stream::unread}) {
      for (const Stream out : {Stream::captured, Stream::closed}) {
        const Result result = run(program, {"--seed", "x", "--threads", "x"}, {.out = out, .error = error});
        EXPECT_EQ(result.status, 1) << program;
        EXPECT_EQ(result.out, "") << program;
      }
    }
  }
}

TEST(EveryProgram, SaysThatItsHelpCannotBePrinted) {
  for (const std::string& program : programs()) {
    expect_one_line(program, run(program, {"--help"}, {.out = Stream::full}),
                    "standard output: No space left on device");
    expect_one_line(program, run(program, {"--help"}, {.out = Stream::closed}),
                    "standard output: it is closed");
    const Result unread = run(program, {"--help"}, {.out = Stream::unread});
    EXPECT_EQ(unread.status, 128 + SIGPIPE) << program;
    EXPECT_EQ(unread.error, "") << program;
  }
}

TEST(EveryProgram, SaysThatItsOutputCannotBePrinted) {
  for (const std::string& program : programs()) {
    if (takes_files(program)) continue;  // below
    SCOPED_TRACE(program);
    const std::vector<std::string> flags = short_run(program);
    EXPECT_EQ(run(program, flags).status, 0);
    expect_one_line(program, run(program, flags, {.out = Stream::full}),
                    "standard output: No space left on device");
    expect_one_line(program, run(program, flags, {.out = Stream::closed}), "standard output: it is closed");
    const Result unread = run(program, flags, {.out = Stream::unread});
    EXPECT_EQ(unread.status, 128 + SIGPIPE) << program;
    EXPECT_EQ(unread.error, "") << program;
  }
}

TEST(Tokenize, SaysThatItsOutputCannotBePrinted) {
  const std::pair<Stream, int> table[] = {
      {Stream::captured, 0}, {Stream::full, 1}, {Stream::closed, 1}, {Stream::unread, 128 + SIGPIPE}};
  for (const auto& [out, status] : table) {
    const TempDir folder;
    put_file(folder / "text.txt", "Once upon a time\n");
    const Result result =
        run("tokenize", {folder / "text.txt", "--out", folder / "shards", "--val-tokens", "0"}, {.out = out});
    EXPECT_EQ(result.status, status) << result.error;
  }
}

// A closed stream's descriptor must not go to the next file that is opened: what is printed would end up in it.
TEST(EveryProgram, KeepsItsFilesCleanOfWhatItPrints) {
  constexpr Stream kOpen = Stream::captured, kClosed = Stream::closed;
  const Streams table[] = {
      {.in = kClosed}, {.out = kClosed}, {.error = kClosed}, {kClosed, kClosed, kClosed}};
  for (const std::string& step : steps()) {
    for (const Streams& streams : table) {
      const TempDir folder;
      std::vector<std::string> flags = short_run(step);
      flags.insert(flags.end(), {"--log", folder / "log"});
      const Result result = run(step, flags, streams);
      EXPECT_EQ(result.status, streams.out == kOpen ? 0 : 1) << step << ": " << result.error;
      std::istringstream log(file_bytes(folder / "log"));
      size_t events = 0;
      for (std::string line; std::getline(log, line); ++events)
        EXPECT_TRUE(nlohmann::json::accept(line)) << step << ": " << line;
      EXPECT_GE(events, 1u) << step;
    }
  }
}

TEST(LongRun, SavesACheckpointWhenTheReaderOfItsOutputLeaves) {
  for (const std::string& step : steps()) {
    if (step < "13") continue;
    const TempDir folder;
    const std::string command = "bash -c '" GPT2_BIN_DIR "/" + step + " --device cpu --batch 1 --seq 16 " +
                                "--total-batch 16 --steps 1000000 --data " + kText + " --out " +
                                folder.path() + "/run 2> " + folder.path() +
                                "/error | grep -m 1 \"^step    3 \"; exit ${PIPESTATUS[0]}' > /dev/null";
    const int status = std::system(command.c_str());
    EXPECT_EQ(WEXITSTATUS(status), 128 + SIGPIPE) << step;
    EXPECT_EQ(file_bytes(folder / "error"), "") << step;
    size_t checkpoints = 0;
    for (const auto& entry : fs::directory_iterator(folder / "run"))
      checkpoints += entry.path().filename().string().starts_with("step_") ? 1 : 0;
    EXPECT_EQ(checkpoints, 1u) << step;
  }
}

}  // namespace
}  // namespace gpt2::testing
