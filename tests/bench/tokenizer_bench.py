"""The tokenizer beside tiktoken, in one run: the same text, one thread each, taking turns.

    python tests/bench/tokenizer_bench.py BENCH FILE [--gpt2 DIR] [--rounds N]

BENCH is the program built from tokenizer_bench.cpp, DIR holds vocab.bpe and encoder.json. The ids are compared
before any figure is printed; the figures are medians, after a first round that is not counted, of processor time,
which other programs on the machine disturb less than the clock on the wall.
"""

import argparse
import json
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
import tiktoken
from tiktoken.load import data_gym_to_mergeable_bpe_ranks
from tiktoken_ext.openai_public import r50k_pat_str

ROOT = Path(__file__).resolve().parents[2]


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bench", type=Path)
    parser.add_argument("file", type=Path, help="UTF-8 text")
    parser.add_argument("--gpt2", type=Path, default=ROOT / "data/gpt2")
    parser.add_argument("--rounds", type=int, default=5)
    return parser.parse_args()


def gpt2_encoding(folder):
    ranks = data_gym_to_mergeable_bpe_ranks(str(folder / "vocab.bpe"), str(folder / "encoder.json"))
    return tiktoken.Encoding(
        "gpt2", pat_str=r50k_pat_str, mergeable_ranks=ranks, special_tokens={"<|endoftext|>": 50256}
    )


def run_ours(options, ids_path):
    # Twice, as a new process touches its memory for the first time, which tiktoken's does not.
    command = [options.bench.resolve(), options.gpt2, options.file, ids_path, "2"]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return json.loads(output)["seconds"][-1], np.fromfile(ids_path, np.int32)


def run_tiktoken(encoding, text):
    start = time.process_time()
    ids = encoding.encode_ordinary(text)
    return time.process_time() - start, np.asarray(ids, np.int32)


def main():
    options = parse_arguments()
    encoding = gpt2_encoding(options.gpt2)
    data = options.file.read_bytes()
    text = data.decode()
    rounds = []
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(options.rounds + 1):
            ours, our_ids = run_ours(options, Path(folder) / "ids.bin")
            theirs, their_ids = run_tiktoken(encoding, text)
            assert np.array_equal(our_ids, their_ids), "the ids differ from tiktoken's"
            rounds.append((ours, theirs))
    print(f"{options.file}: {len(data)} bytes, {len(their_ids)} ids, equal; medians of {options.rounds}")
    for name, seconds in zip(("ours", f"tiktoken {tiktoken.__version__}"), zip(*rounds[1:])):
        median = statistics.median(seconds)
        print(f"{name:16} {1e3 * median:8.1f} ms {len(data) / median / 1e6:8.1f} MB/s")


if __name__ == "__main__":
    main()
