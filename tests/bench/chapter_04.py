"""04_overfit beside torch's eager step, in one run: same model, batch, threads; losses checked before times.

    venv/bin/python tests/bench/chapter_04.py [--rounds 3] [--steps 8] [--out docs/timing/cpu_04.md]

The two take turns; a round is one start of each. Times are medians over all rounds without each start's first two
steps; peak memory is the most the process ever held (ru_maxrss). torch_gpt2.py says how torch is set up to be fast.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BYTES = [*range(33, 127), *range(161, 173), *range(174, 256)]
BYTES += [byte for byte in range(256) if byte not in BYTES]
ID_OF_BYTE = {byte: i for i, byte in enumerate(BYTES)}


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", type=Path, default=ROOT / "build/cpu/bin")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--seq", type=int, nargs="+", default=[64, 256])
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--out", type=Path, help="a Markdown file for the table")
    return parser.parse_args()


def write_ids(binary, path):
    """The byte tokens of the embedded corpus, as torch_gpt2.py reads them."""
    import numpy as np

    text = subprocess.run([binary / "tales", "--bytes", "1000000"], check=True, capture_output=True).stdout
    np.array([ID_OF_BYTE[byte] for byte in text], dtype=np.int32).tofile(path)


def run(command, environment):
    """Losses, step times in ms after the first two, peak memory in MiB."""
    with tempfile.NamedTemporaryFile() as usage:
        timed = ["/usr/bin/env", "python3", "-c", _MEASURE, usage.name, *map(str, command)]
        out = subprocess.run(timed, check=True, capture_output=True, text=True, env={**os.environ, **environment})
        peak = int(Path(usage.name).read_text()) / 1024
    return out.stdout, peak


_MEASURE = """
import resource, subprocess, sys
status = subprocess.run(sys.argv[2:]).returncode
open(sys.argv[1], "w").write(str(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss))
sys.exit(status)
"""


def steps_of(lines):
    steps = [event for event in map(json.loads, lines) if event["event"] == "step"]
    return [event["loss"] for event in steps], [event["ms"] for event in steps[2:]]


def ours(options, seq):
    with tempfile.NamedTemporaryFile() as log:
        command = [options.bin / "04_overfit", "--model", "gpt2", "--device", "cpu", "--batch", 4, "--seq", seq]
        command += ["--steps", options.steps, "--log", log.name]
        _, peak = run(command, {"OMP_NUM_THREADS": str(options.threads)})
        losses, times = steps_of(Path(log.name).read_text().splitlines())
    return losses, times, peak


def torchs(options, seq, ids):
    command = [sys.executable, ROOT / "tests/bench/torch_gpt2.py", "--chapter", "04", "--model", "gpt2", "--batch", 4]
    command += ["--seq", seq, "--steps", options.steps, "--threads", options.threads, "--data", ids]
    # What 04_overfit gives itself; without it torch's threads spin as well.
    out, peak = run(command, {"GOMP_SPINCOUNT": os.environ.get("GOMP_SPINCOUNT", "1000")})
    losses, times = steps_of(line for line in out.splitlines() if line.startswith("{"))
    return losses, times, peak


def compare(options, seq, ids):
    sides = {"04_overfit": ([], []), "torch eager": ([], [])}
    for _ in range(options.rounds):
        for name, measure in (("04_overfit", ours), ("torch eager", lambda o, s: torchs(o, s, ids))):
            losses, times, peak = measure(options, seq)
            sides[name][0].extend(times)
            sides[name][1].append(peak)
            sides[name] = (*sides[name][:2], losses)
    difference = max(abs(a / b - 1) for a, b in zip(sides["04_overfit"][2], sides["torch eager"][2]))
    if not difference <= 1e-4:
        sys.exit(f"chapter_04: the losses differ by {difference:.1e}: a time would mean nothing")
    rows = []
    for name, (times, peaks, _) in sides.items():
        median = statistics.median(times)
        ratio = median / statistics.median(sides["torch eager"][0])
        rows.append(
            f"| {name} | 4 x {seq} | {median:.0f} ({min(times):.0f}-{max(times):.0f}) | {4000 * seq / median:.0f} "
            f"| {ratio:.2f} | {max(peaks):.0f} |"
        )
    return rows, difference


def machine():
    names = [line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")]
    return f"{names[0]}, {len(names)} cores"


def main():
    options = parse_arguments()
    import torch

    commit = subprocess.run(["git", "-C", ROOT, "rev-parse", "--short", "HEAD"], capture_output=True, text=True).stdout
    lines = [
        f"GPT-2 124M, fp32, {options.threads} threads, {machine()}; torch {torch.__version__}, Python "
        f"{platform.python_version()}, commit {commit.strip()}; {options.rounds} rounds of {options.steps} steps.",
        "",
        "| program | B x T | ms a step, median (spread) | tokens/s | time / torch's | peak MiB |",
        "|---|---|---|---|---|---|",
    ]
    with tempfile.NamedTemporaryFile() as ids:
        write_ids(options.bin, ids.name)
        for seq in options.seq:
            rows, difference = compare(options, seq, ids.name)
            lines += rows
            print(f"B=4, T={seq}: losses agree to {difference:.1e}", flush=True)
    table = "\n".join(lines) + "\n"
    print(table)
    if options.out:
        options.out.write_text("# 04_overfit beside torch, on a CPU\n\n" + table)


if __name__ == "__main__":
    main()
