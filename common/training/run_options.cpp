#include "common/training/run_options.h"

namespace gpt2::training {
namespace {

constexpr int64_t kMany = int64_t{1} << 40;

// The video's overnight run: one epoch of 10 billion tokens of FineWeb-EDU. Needs ./course data gpt2,
// fineweb-edu and hellaswag.
constexpr const char* kGpt2OneNight =
    "--model gpt2 --tokenizer data/gpt2 --data data/fineweb-edu/edu_fineweb_train_*.bin "
    "--batch 64 --seq 1024 --total-batch 524288 --steps 19073 --max-lr 6e-4 --warmup 715 "
    "--val-data data/fineweb-edu/edu_fineweb_val_*.bin --val-every 250 "
    "--hellaswag data/hellaswag/hellaswag_val.jsonl --hellaswag-every 250 --sample-every 250 "
    "--checkpoint-every 1000 --keep 2 --keep-every 5000 --out runs/gpt2-124m";

// llm.c's GPT-2 1558M, with 8 GPUs of 80 GB in a day (github.com/karpathy/llm.c/discussions/677).
constexpr const char* kGpt2OneDay =
    "--model gpt2-xl --tokenizer data/gpt2 --data data/fineweb-edu/edu_fineweb_train_*.bin "
    "--batch 16 --seq 1024 --total-batch 1048576 --steps 32000 --max-lr 6e-4 --warmup 700 "
    "--val-data data/fineweb-edu/edu_fineweb_val_*.bin --val-every 250 "
    "--hellaswag data/hellaswag/hellaswag_val.jsonl --hellaswag-every 250 --sample-every 2000 "
    "--checkpoint-every 2000 --keep 2 --out runs/gpt2-1558m";

// nanoGPT's settings for the characters of tiny Shakespeare, on a GPU (config/train_shakespeare_char.py) and
// on a CPU (its README), and for finetuning a GPT-2 on Shakespeare (config/finetune_shakespeare.py, which
// uses the largest: --model data/gpt2-xl). Needs ./course data shakespeare.
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
  program = flags.program();
  flags.group("Recipe");
  flags.add("--dropout", dropout, 0, 0.99,
            "fraction of activations set to 0 in the residual branches, against overfitting small data");
  flags.group("Model and data");
  flags.add("--order", order, {{"shuffled", DataOrder::shuffled}, {"video", DataOrder::video}},
            "order of the data: a new permutation every epoch, or front to back as in the video");
  flags.group("Evaluation");
  flags.add("--val-data", val_data, "text or token shards for the validation loss")
      .placeholder("DATA")
      .input()
      .default_text("the last tenth of a text; none for shards");
  flags.add("--val-every", val_every, 0, kMany, "steps between validation losses; 0 disables them");
  flags.add("--hellaswag", hellaswag, "HellaSwag questions: its JSON Lines, or llm.c's .bin")
      .placeholder("FILE")
      .input();
  flags.add("--hellaswag-every", hellaswag_every, 0, kMany,
            "steps between HellaSwag scores; 0 disables them");
  flags.add("--sample-every", sample_every, 0, kMany, "steps between samples of text; 0 disables them");
  flags.group("Checkpoints");
  flags.add("--out", out, "folder for the run: log, checkpoints, and always one after the last step")
      .placeholder("DIR");
  flags.add("--checkpoint-every", checkpoint_every, 0, kMany,
            "steps between checkpoints; 0 saves only the last step");
  flags.add("--keep", keep, 1, kMany, "number of newest checkpoints to keep");
  flags.add("--keep-every", keep_every, 0, kMany,
            "also keep every checkpoint whose step is a multiple of N; 0 keeps no others");
  flags.add("--resume", resume, "continue from the newest checkpoint in --out");
  flags.add("--resume-from", resume_from, "continue from this checkpoint in --out, and rename newer ones")
      .placeholder("step_N");
  flags.add("--resume-anyway", resume_anyway,
            "continue although settings, data or program differ; the log says which");
  flags.group("General");
  flags.add_presets({{"gpt2-124m", kGpt2OneNight},
                     {"gpt2-1558m", kGpt2OneDay},
                     {"shakespeare-char", kShakespeareChar},
                     {"shakespeare-char-cpu", kShakespeareCharCpu},
                     {"finetune-shakespeare", kFinetuneShakespeare}});
}

}  // namespace gpt2::training
