// Makes token shards from text: tokenize FILE... --tokenizer data/gpt2 --out data/books
#include <limits>

#include "common/app/program.h"
#include "common/base/error.h"
#include "data/tokenize/tokenize.h"

using namespace gpt2;

int main(int argc, char** argv) {
  return app::run("tokenize", argc, argv, [](app::CommandLine& flags) {
    constexpr int64_t kMost = std::numeric_limits<int32_t>::max();  // the maximum in a shard's header
    TokenizeOptions options;
    flags.add_values("FILE", options.files,
                     "text with <|endoftext|> between documents, or .jsonl (one document per line, in which "
                     "<|endoftext|> is "
                     "ordinary text); also .gz and .zst of both");
    flags.group("Shards");
    flags
        .add("--tokenizer", options.tokenizer,
             "byte, or a directory with vocab.bpe and encoder.json, or tokenizer.json")
        .placeholder("TOKENIZER");
    flags.add("--out", options.out, "folder for the shards (required)").placeholder("DIR");
    flags.add("--prefix", options.prefix, "what the names of the shards begin with").placeholder("NAME");
    flags.add("--shard-tokens", options.shard_tokens, 1, kMost, "tokens per shard");
    flags.add("--val-tokens", options.val_tokens, -1, kMost,
              "tokens in the first shard, which is for validation; 0: no such shard; -1: as many as in the "
              "others, at "
              "most about a tenth of the text");
    flags.add("--threads", options.threads, 0, 4096, "threads that encode; 0: one per core");
    flags.parse();
    require(!options.out.empty(), "--out: name a folder for the shards");
    tokenize(options);
  });
}
