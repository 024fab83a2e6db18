"""nanoGPT and 13_fineweb side by side: the characters of tiny Shakespeare, in nanoGPT's setting for a CPU.

Both start as their users start them, in turns, and the whole program is timed, evaluation and checkpoints included.
Then both checkpoints are measured on all of the validation text, in windows of 64 characters. Prints a table in
Markdown.

  nanogpt.py --nanogpt FOLDER [--rounds 2] [--bin build/cpu/bin/13_fineweb]

FOLDER is a clone of https://github.com/karpathy/nanoGPT. Needs torch, numpy, requests, transformers, and
data/shakespeare/input.txt (./course data shakespeare).
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy
import torch
import transformers

ROOT = Path(__file__).resolve().parents[2]
SHAKESPEARE = ROOT / "data/shakespeare/input.txt"
WINDOW = 64
# The line in nanoGPT's README, "I only have a macbook (or other cheap computer)".
NANOGPT = ("train.py config/train_shakespeare_char.py --device=cpu --compile=False --eval_iters=20 --log_interval=1 "
           "--block_size=64 --batch_size=12 --n_layer=4 --n_head=4 --n_embd=128 --max_iters=2000 "
           "--lr_decay_iters=2000 --dropout=0.0").split()


def timed(command, folder):
    start = time.monotonic()
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - start


def prepare(nanogpt):
    data = nanogpt / "data/shakespeare_char"
    shutil.copy(SHAKESPEARE, data / "input.txt")
    subprocess.run([sys.executable, "prepare.py"], cwd=data, check=True, stdout=subprocess.DEVNULL)
    return numpy.fromfile(data / "val.bin", dtype=numpy.uint16).astype(numpy.int64)


def open_nanogpt(nanogpt):
    sys.path.insert(0, str(nanogpt))
    from model import GPT, GPTConfig
    checkpoint = torch.load(nanogpt / "out-shakespeare-char/ckpt.pt", weights_only=False)
    model = GPT(GPTConfig(**checkpoint["model_args"]))
    model.load_state_dict(checkpoint["model"])
    return lambda x, y: model(x, y)[1]


def open_ours(out):
    newest = sorted(Path(out).glob("step_*"))[-1]
    model = transformers.GPT2LMHeadModel.from_pretrained(newest).eval()
    return lambda x, y: torch.nn.functional.cross_entropy(model(x).logits.flatten(0, 1), y.flatten())


@torch.no_grad()
def loss_on(ids, loss):
    """The mean loss over all windows of `ids`."""
    n = (len(ids) - 1) // WINDOW
    x = torch.from_numpy(ids[:n * WINDOW].reshape(n, WINDOW))
    y = torch.from_numpy(ids[1:n * WINDOW + 1].reshape(n, WINDOW))
    parts = [(loss(a, b).item(), len(a)) for a, b in zip(x.split(64), y.split(64))]
    return sum(l * k for l, k in parts) / n


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nanogpt", type=Path, required=True)
    parser.add_argument("--bin", type=Path, default=ROOT / "build/cpu/bin/13_fineweb")
    parser.add_argument("--rounds", type=int, default=2)
    args = parser.parse_args()
    args.nanogpt = args.nanogpt.resolve()
    val = prepare(args.nanogpt)
    seconds = {"nanoGPT": [], "13_fineweb": []}
    losses = {"nanoGPT": [], "13_fineweb": []}
    for _ in range(args.rounds):
        seconds["nanoGPT"].append(timed([sys.executable, *NANOGPT], args.nanogpt))
        losses["nanoGPT"].append(loss_on(val, open_nanogpt(args.nanogpt)))
        with tempfile.TemporaryDirectory() as out:
            ours = [args.bin.resolve(), "--preset", "shakespeare-char-cpu", "--device", "cpu", "--out", out]
            seconds["13_fineweb"].append(timed(ours, ROOT))
            losses["13_fineweb"].append(loss_on(val, open_ours(out)))
    print(f"torch {torch.__version__}, {os.cpu_count()} cores, {len(val)} characters of validation\n")
    print("| program | seconds | of nanoGPT's | validation loss |\n|---|---|---|---|")
    of = statistics.median(seconds["nanoGPT"])
    for name in seconds:
        each = ", ".join(f"{s:.1f}" for s in seconds[name])
        print(f"| {name} | {each} | {statistics.median(seconds[name]) / of:.2f} | "
              + ", ".join(f"{l:.4f}" for l in losses[name]) + " |")


if __name__ == "__main__":
    main()
