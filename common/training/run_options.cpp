#include "common/training/run_options.h"

namespace gpt2::training {
namespace {

constexpr int64_t kMany = int64_t{1} << 40;

// The video's night: 10 billion tokens of FineWeb-EDU, once. ./course data gpt2, fineweb-edu and hellaswag come first.
constexpr const char* kGpt2OneNight =
    "--model gpt2 --tokenizer data/gpt2 --data data/fineweb-edu/edu_fineweb_train_*.bin "
    "--batch 64 --seq 1024 --total-batch 524288 --steps 19073 --max-lr 6e-4 --warmup 715 "
    "--val-data data/fineweb-edu/edu_fineweb_val_*.bin --val-every 250 "
    "--hellaswag data/hellaswag/hellaswag_val.jsonl --hellaswag-every 250 --sample-every 250 "
    "--checkpoint-every 1000 --keep 2 --keep-every 5000 --out runs/gpt2-124m";

// nanoGPT's settings for the characters of tiny Shakespeare, on a GPU (config/train_shakespeare_char.py) and on a CPU
// (its README), and for teaching Shakespeare to a GPT-2 (config/finetune_shakespeare.py, which takes the largest:
// --model data/gpt2-xl). ./course data shakespeare comes first.
constexpr const char* kShakespeareChar =
    "--model baby --tokenizer char --data data/shakespeare/input.txt "
    "--batch 64 --seq 256 --total-batch 16384 --steps 5000 --max-lr 1e-3 --min-lr 1e-4 --warmup 100 --beta2 "
    "0.99 "
    "--dropout 0.2 --val-every 250 --sample-every 1000 --out runs/shakespeare-char";
constexpr const char* kShakespeareCharCpu =
    "--model tiny --tokenizer char --data data/shakespeare/input.txt "
    "--batch 12 --seq 64 --total-batch 768 --steps 2000 --max-lr 1e-3 --min-lr 1e-4 --warmup 100 --beta2 "
    "0.99 "
    "--val-every 250 --sample-every 1000 --out runs/shakespeare-char-cpu";
constexpr const char* kFinetuneShakespeare =
    "--model data/gpt2 --data data/shakespeare/input.txt "
    "--batch 1 --seq 1024 --total-batch 32768 --steps 20 --max-lr 3e-5 --min-lr 3e-5 --warmup 0 "
    "--val-every 5 --sample-every 5 --out runs/finetune-shakespeare";

}  // namespace

void RunOptions::add_to(app::CommandLine& flags) {
  flags.add("--order", order, {"shuffled", "video"},
            "of the data: drawn anew each epoch, or from front to back");
  flags.add("--val-data", val_data,
            "a text or shards to measure the loss on (a text: by default its last tenth)");
  flags.add("--val-every", val_every, 0, kMany, "steps between two measurements of it; 0: never");
  flags.add("--hellaswag", hellaswag, "a file of HellaSwag's format");
  flags.add("--hellaswag-every", hellaswag_every, 0, kMany, "steps between two scores on it; 0: never");
  flags.add("--sample-every", sample_every, 0, kMany, "steps between two samples; 0: never");
  flags.add("--dropout", dropout, 0, 0.99,
            "share of the branches' values that a step leaves out, for small data");
  flags.add("--out", out, "a folder for checkpoints and log; the last step's is always written");
  flags.add("--checkpoint-every", checkpoint_every, 0, kMany,
            "steps between two checkpoints; 0: the last alone");
  flags.add("--keep", keep, 1, kMany, "checkpoints that stay, the newest");
  flags.add("--keep-every", keep_every, 0, kMany, "those of every so many steps stay too; 0: none");
  flags.add("--resume", resume, "go on from the newest checkpoint in --out");
  flags.add_presets({{"gpt2-124m", kGpt2OneNight},
                     {"shakespeare-char", kShakespeareChar},
                     {"shakespeare-char-cpu", kShakespeareCharCpu},
                     {"finetune-shakespeare", kFinetuneShakespeare}});
}

}  // namespace gpt2::training
