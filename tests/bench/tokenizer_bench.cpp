// How fast does the tokenizer encode, on one core? Prints the processor time of each run over FILE, in
// seconds, as a JSON line, and writes the ids (int32) for tokenizer_bench.py, which compares them with tiktoken's.
//
//   tokenizer_bench TOKENIZER FILE IDS RUNS
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cstdio>
#include <ctime>
#include <exception>
#include <span>
#include <string>
#include <vector>

#include "common/base/error.h"
#include "common/base/file.h"
#include "common/text/tokenizer.h"

namespace gpt2 {
namespace {

void run(std::span<char*> arguments) {
  require(arguments.size() == 5, "usage: {} TOKENIZER FILE IDS RUNS", arguments[0]);
  const int runs = std::stoi(arguments[4]);
  const MappedFile file(arguments[2]);
  const auto tokenizer = make_tokenizer(arguments[1], file.text());
  std::vector<int32_t> ids;
  std::vector<double> seconds;
  for (int i = 0; i < runs; ++i) {
    const std::clock_t start = std::clock();
    ids = tokenizer->encode(file.text());
    seconds.push_back(double(std::clock() - start) / CLOCKS_PER_SEC);
  }
  require(tokenizer->decode(ids) == file.text(), "{}: the ids do not decode to the text", file.path());
  AtomicFile out(arguments[3]);
  out.write(std::as_bytes(std::span(ids)));
  out.commit();
  fmt::print("{{\"bytes\": {}, \"ids\": {}, \"seconds\": {}}}\n", file.text().size(), ids.size(), seconds);
}

}  // namespace
}  // namespace gpt2

int main(int argc, char** argv) {
  try {
    gpt2::run({argv, static_cast<size_t>(argc)});
  } catch (const std::exception& error) {
    fmt::print(stderr, "tokenizer_bench: {}\n", error.what());
    return 1;
  }
}
