// Makes token shards from text: tokenize FILE... --tokenizer data/gpt2 --out data/books
#include <limits>

#include "common/app/program.h"
#include "common/base/error.h"
#include "data/tokenize/tokenize.h"

using namespace gpt2;

int main(int argc, char** argv) {
  return app::run("tokenize", argc, argv, [](app::CommandLine& flags) {
    constexpr int64_t kMost = std::numeric_limits<int32_t>::max();  // that a shard's header can say
    TokenizeOptions options;
    flags.add_values("files", options.files,
                     ".txt (<|endoftext|> between documents) or .jsonl, plain, .gz or .zst");
    flags.add("--tokenizer", options.tokenizer, "byte, or a directory with vocab.bpe and encoder.json");
    flags.add("--out", options.out, "the folder for the shards");
    flags.add("--prefix", options.prefix, "what the shards' names begin with");
    flags.add("--shard-tokens", options.shard_tokens, 1, kMost, "tokens in a shard");
    flags.add(
        "--val-tokens", options.val_tokens, -1, kMost,
        "tokens in the first shard, which is for validation (-1: as many as in the others, at most about a "
        "tenth of the text; 0: no such shard)");
    flags.add("--threads", options.threads, 0, 4096, "that encode (0: as many as there are cores)");
    flags.parse();
    require(!options.out.empty(), "--out: name a folder for the shards");
    tokenize(options);
  });
}
