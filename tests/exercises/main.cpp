// The main program of a runner (-DEXERCISE_RUNNER) or a checker:
//   runner --list                                 prints the names of the cases
//   runner --case NAME --seed N --values FD       writes the values to the file descriptor
//   checker --case NAME --seed N < VALUES         prints the verdict, one JSON object
#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>

#include "tests/exercises/exercise.h"
#ifdef EXERCISE_TRACES
#include "tests/executor/tracer.h"
#endif

namespace exercise {

// Values may nest: this compiles only if put() and get() of a vector find those of a pair.
using Nested = std::vector<std::pair<int64_t, std::vector<float>>>;
template void put(Bytes& to, const Nested& values);
template void get(Reader& from, Nested& values);

std::vector<Case>& cases() {
  static std::vector<Case> all;
  return all;
}

namespace {
std::string context_text;
}

void set_context(const std::string& text) { context_text = text; }

void fail(const std::string& message) {
  throw Failure(context_text.empty() ? message : context_text + ": " + message);
}

// A record: its kind (v: value, e: error, z: end of the case), the value's type, the value.
#ifdef EXERCISE_RUNNER

namespace {

int values = -1;  // file descriptor

void write_all(const Bytes& bytes) {
  for (size_t done = 0; done < bytes.size();) {
    const ssize_t n = ::write(values, bytes.data() + done, bytes.size() - done);
    if (n <= 0) std::_Exit(1);
    done += size_t(n);
  }
}

void write_record(char kind, const std::string& type, const Bytes& value) {
  Bytes record(1, kind);
  put(record, type);
  put(record, value);
  write_all(record);
}

int run(const Case& chosen, uint64_t seed) {
  Draw draw(seed, chosen.name);
  try {
    chosen.body(draw);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;  // send_error has told the checker
  }
  write_record('z', "", "");
#ifdef EXERCISE_TRACES
  write_record('c', "",
               fmt::format("{:020}", executor::total_cost()));  // for tool/speed.py; the checker ignores it
#endif
  return 0;
}

}  // namespace

void send(const char* type, const Bytes& value) { write_record('v', type, value); }
void send_error(const std::string& message) { write_record('e', "", message); }

#else

namespace {

Reader input;

int run(const Case& chosen, uint64_t seed) {
  input.bytes.assign(std::istreambuf_iterator<char>(std::cin), {});
  nlohmann::json verdict{{"pass", true}};
  try {
    Draw draw(seed, chosen.name);
    chosen.body(draw);
    if (input.at == input.bytes.size() || input.bytes[input.at] != 'z')
      throw Failure("the program wrote too much");
  } catch (const Failure& failure) {
    verdict = {{"pass", false}, {"message", failure.what()}};
  } catch (const std::exception& error) {
    verdict = {{"pass", false},
               {"message", std::string("the program's values cannot be read: ") + error.what()}};
  }
  const auto replace = nlohmann::json::error_handler_t::replace;  // a message may quote the student's bytes
  std::printf("%s\n", verdict.dump(-1, ' ', false, replace).c_str());
  return 0;
}

}  // namespace

Bytes receive(const char* type) {
  if (input.at == input.bytes.size()) fail("the program ended before this was computed");
  const char kind = input.bytes[input.at++];
  std::string name, value;
  get(input, name);
  get(input, value);
  if (kind == 'e') fail("your code threw an error: " + value);
  if (kind != 'v' || name != type) fail("the program's values cannot be read");
  return value;
}

#endif

}  // namespace exercise

int main(int argc, char** argv) {
  std::map<std::string, std::string> options;
  if (argc == 2 && std::string(argv[1]) == "--list") {
    for (const exercise::Case& each : exercise::cases()) std::printf("%s\n", each.name);
    return 0;
  }
  for (int i = 1; i + 1 < argc; i += 2) options[argv[i]] = argv[i + 1];
#ifdef EXERCISE_RUNNER
  exercise::values = std::atoi(options["--values"].c_str());
#endif
#ifdef EXERCISE_TRACES
  executor::trace();
#endif
  for (const exercise::Case& each : exercise::cases()) {
    if (options["--case"] == each.name) {
      return exercise::run(each, std::strtoull(options["--seed"].c_str(), nullptr, 10));
    }
  }
  std::fprintf(stderr, "there is no case '%s'\n", options["--case"].c_str());
  return 2;
}
