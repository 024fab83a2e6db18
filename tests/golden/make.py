"""Makes the goldens: numbers that torch and transformers give, which the tests compare with.

    python -m venv venv && venv/bin/pip install -r tests/golden/requirements.txt
    venv/bin/python tests/golden/make.py [--only NAME]

The numbers are committed: the tests need neither torch nor this script. versions.json says what they were
made with: the CPU, float32, two threads, matrix products in full precision.
"""

import argparse
import importlib
import json
import platform
from importlib import metadata
from pathlib import Path

import torch

from golden_io import ROOT

GOLDENS = ("rng", "init", "losses", "gradients", "adamw", "hf", "hf_options", "sampling", "ops", "tokenizer")
GOLDENS += ("schedule", "saved_tokenizer", "tokenizer_config")


def parse_arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    data = ROOT / "data"
    parser.add_argument("--only", choices=GOLDENS, help="make this one")
    parser.add_argument("--out", type=Path, default=ROOT / "tests/golden", help="where the goldens go")
    parser.add_argument("--fixtures", type=Path, default=data / "fixtures", help="where the HF model goes")
    parser.add_argument("--tales", type=Path, help="the corpus as a file (otherwise data/tales writes it)")
    parser.add_argument("--shakespeare", type=Path, default=data / "shakespeare/input.txt")
    parser.add_argument("--gpt2", type=Path, default=data / "gpt2", help="vocab.bpe and encoder.json")
    return parser.parse_args()


def cpu_name():
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor()


def write_versions(path):
    packages = ("torch", "transformers", "safetensors", "numpy", "tiktoken")
    versions = {name: metadata.version(name) for name in packages}
    versions["python"] = platform.python_version()
    versions["cpu"] = f"{cpu_name()}, torch uses {torch.backends.cpu.get_cpu_capability()}"
    versions["threads"] = torch.get_num_threads()
    path.write_text(json.dumps(versions, indent=1) + "\n", encoding="utf-8")


def main():
    options = parse_arguments()
    torch.set_num_threads(2)
    torch.set_float32_matmul_precision("highest")
    for name in [options.only] if options.only else GOLDENS:
        print(name, flush=True)
        importlib.import_module(name).make(options)
    write_versions(options.out / "versions.json")


if __name__ == "__main__":
    main()
