"""Makes the numbers in data/: runs the programs once and keeps what the figures show. README.md has the command.

The figures are drawn from data/ alone; run this only to measure again. It needs numpy and a finished CPU build.
"""

import base64
import csv
import json
import os
import pathlib
import random
import re
import struct
import subprocess
import sys
import tempfile
import zlib

import numpy as np

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parent.parent
TALES = ROOT / "data/tales-gpt2"


def write_csv(name, header, rows):
    with open(HERE / f"data/{name}.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def run(program, *flags):
    """Runs a program of the build and returns what it prints. It may fail: memory() reads an error message."""
    command = [str(BIN / program), *map(str, flags)]
    one_thread = os.environ | {"OMP_NUM_THREADS": "1"}  # as for all numbers in the chapters
    done = subprocess.run(command, cwd=ROOT, env=one_thread, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def logged(program, *flags):
    """The step events of a run's log."""
    with tempfile.TemporaryDirectory() as folder:
        log = pathlib.Path(folder) / "log.jsonl"
        run(program, *flags, "--log", log)
        events = [json.loads(line) for line in log.read_text().splitlines()]
    return [event for event in events if event["event"] == "step"]


def losses():
    """04: fifty steps of the loader, and a thousand of one batch."""
    write_csv("loss", ["step", "ours"], [(s["step"], f"{s['loss']:.7g}") for s in logged("04_overfit")])
    steps = logged("04_overfit", "--overfit", "--steps", 1000)
    write_csv("overfit", ["step", "loss"], [(s["step"], f"{s['loss']:.5g}") for s in steps if s["step"] % 5 == 0])


def schedule():
    """10 and 11: learning rate, norm and loss over 500 steps."""
    small, large = logged("10_adamw", "--steps", 500), logged("11_grad_accum", "--steps", 500)
    rows = [
        (a["step"], f"{a['lr']:.6g}", f"{a['norm']:.4g}", f"{a['loss']:.5g}", f"{b['norm']:.4g}", f"{b['loss']:.5g}")
        for a, b in zip(small, large)
    ]
    write_csv("schedule", ["step", "lr", "norm_256", "loss_256", "norm_3072", "loss_3072"], rows)


def memory():
    """06 to 08: what they say a step of GPT-2 124M with 512 sequences needs, in GB; the machine must have less."""
    steps = ["06_bf16", "07_fusion", "08_flash_attention"]
    rows = []
    for length in [128, 256, 384, 512, 640, 768, 896, 1024]:
        texts = [run(step, "--model", "gpt2", "--batch", 512, "--seq", length, "--steps", 1) for step in steps]
        rows.append([length, *(re.search(r"needs ([0-9.]+) GB", text).group(1) for text in texts)])
    write_csv("memory", ["T", "06", "07", "08"], rows)


def addition():
    """13: three-digit sums, with the digits of the result in reversed and in usual order."""
    with tempfile.TemporaryDirectory() as folder:
        runs = []
        for order in (-1, 1):
            draw, text = random.Random(1337), pathlib.Path(folder) / "sums.txt"
            pairs = [(draw.randrange(1000), draw.randrange(1000)) for _ in range(200000)]
            text.write_text("".join(f"{a:03d}+{b:03d}={f'{a + b:04d}'[::order]}\n" for a, b in pairs))
            flags = "--tokenizer char --seq 13 --batch 128 --total-batch 1664 --steps 3000 --max-lr 1e-3 --warmup 100"
            runs.append(logged("13_fineweb", "--data", text, *flags.split()))
    # Means over ten steps.
    rows = [[i, *(f"{np.mean([s['loss'] for s in r[i : i + 10]]):.5g}" for r in runs)] for i in range(0, 3000, 10)]
    write_csv("addition", ["step", "reversed", "usual"], rows)


def tales_tensor(name):
    data = (TALES / "model.safetensors").read_bytes()
    size = struct.unpack("<Q", data[:8])[0]
    entry = json.loads(data[8 : 8 + size])[name]
    begin, end = (8 + size + offset for offset in entry["data_offsets"])
    return np.frombuffer(data[begin:end], np.float32).reshape(entry["shape"])


def png(gray):
    """A grey picture as the bytes of a PNG file."""

    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    height, width = gray.shape
    rows = b"".join(b"\0" + row.tobytes() for row in gray.astype(np.uint8))
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows, 9)) + chunk(b"IEND", b"")


def positions():
    """The position embeddings of data/tales-gpt2: a picture of all, and three columns."""
    wpe = tales_tensor("transformer.wpe.weight")
    limit = 2 * wpe[8:].std()
    gray = 17 * np.clip(np.round(7.5 + 7.5 * wpe / limit), 0, 15)  # 16 levels keep the file small
    (HERE / "data/wpe.png.base64").write_text(base64.b64encode(png(gray)).decode() + "\n")
    columns = [47, 7, 55]
    rows = [[t, *(f"{wpe[t, c]:.4f}" for c in columns)] for t in range(len(wpe))]
    write_csv("wpe", ["position", *columns], rows)


def next_byte():
    """What data/tales-gpt2 expects after a prompt: the logits of the 16 most likely bytes, and of all others."""
    prompt = "There once was a "
    ids = run("03_sampling", "--print-ids", prompt).strip()
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder) / "logits.npy"
        run("02_hf_weights", "--model", TALES, "--ids", ids, "--logits", file)
        logits = np.load(file)[-1].astype(float)
    names = {i: text for text, i in json.loads((TALES / "vocab.json").read_text()).items()}
    order = np.argsort(-logits)
    write_csv("next_byte", ["byte", "logit"], [(names[i], f"{logits[i]:.4f}") for i in order])


def endings():
    """How data/tales-gpt2 scores the four endings of one of the tales' questions: the loss of every byte."""
    item = json.loads(run("tales", "--hellaswag", 3).splitlines()[2])
    rows = []
    for ending in item["endings"]:
        ids = run("03_sampling", "--print-ids", f"{item['ctx']} {ending}").strip()
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder) / "logits.npy"
            run("02_hf_weights", "--model", TALES, "--ids", ids, "--logits", file)
            logits = np.load(file).astype(float)
        targets = [int(i) for i in ids.split(",")][1:]
        log_sum = np.log(np.exp(logits - logits.max(1, keepdims=True)).sum(1)) + logits.max(1)
        losses_of = [log_sum[t] - logits[t, target] for t, target in enumerate(targets)]
        scored = losses_of[-len(ending) - 1 :]  # the space before the ending belongs to it
        rows.append([ending == item["endings"][item["label"]], " " + ending, " ".join(f"{x:.3f}" for x in scored)])
    write_csv("endings", ["right", "ending", "losses"], rows)
    (HERE / "data/context.txt").write_text(item["ctx"] + "\n")


def merges():
    """How GPT-2's tokenizer merges the bytes of a word: the pieces before the first and after each merge."""
    lines = (ROOT / "data/gpt2/vocab.bpe").read_text(encoding="utf-8").splitlines()[1:]
    ranks = {tuple(line.split()): rank for rank, line in enumerate(lines) if line}
    pieces, rows = list("indivisible"), [["", " ".join("indivisible")]]
    while True:
        found = [(ranks[pair], at) for at, pair in enumerate(zip(pieces, pieces[1:])) if pair in ranks]
        if not found:
            break
        rank, at = min(found)
        pieces[at : at + 2] = ["".join(pieces[at : at + 2])]
        rows.append([rank, " ".join(pieces)])
    write_csv("merges", ["rank", "pieces"], rows)


def residual():
    """The standard deviation of a sum of n random vectors, plain and with each scaled by 1 / sqrt(n of the last)."""
    draw = np.random.default_rng(1337)
    updates = draw.standard_normal((96, 768))
    stds = np.cumsum(updates, axis=0).std(axis=1)
    rows = [(n + 1, f"{stds[n]:.4f}", f"{stds[n] / np.sqrt(96):.4f}") for n in range(96)]
    write_csv("residual", ["n", "plain", "scaled"], rows)


def rounding():
    """15: the loss with bf16 weights that are rounded to nearest, stochastically, or beside master weights."""
    lines = [json.loads(line) for line in run("rounding_study", "--steps", 400, "--lr", 1e-5).splitlines()]
    ways = ["nearest", "stochastic", "masters"]
    losses_of = {way: [line["loss"] for line in lines if line["rounding"] == way] for way in ways}
    moved = {line["rounding"]: line["moved"] for line in lines}  # the last line of each
    print(", ".join(f"{way}: {moved[way]:.3f} of c_fc.weight moved" for way in ways))
    count = len(losses_of["masters"])
    # Each loss with the one before it: the batches differ.
    rows = [[10 * i, *(f"{np.mean(losses_of[way][max(i - 1, 0) : i + 1]):.5g}" for way in ways)] for i in range(count)]
    write_csv("rounding", ["step", *ways], rows)


MEASURES = (losses, schedule, memory, addition, positions, next_byte, endings, merges, residual, rounding)
PARTS = {f.__name__: f for f in MEASURES}

if __name__ == "__main__":
    if len(sys.argv) < 2 or not set(sys.argv[2:]) <= PARTS.keys():
        sys.exit(f"measure.py: usage: measure.py build/cpu/bin [PART]...; the parts are {', '.join(PARTS)}")
    BIN = pathlib.Path(sys.argv[1]).resolve()
    for part in sys.argv[2:] or PARTS:
        PARTS[part]()
