"""losses.json: the losses of the video's training loop, AdamW with lr 3e-4, every model seeded with 1337.

`tiny` reads the embedded corpus `tales` (its first 4,000,000 bytes, one id a byte), `gpt2` tiny Shakespeare
through tiktoken. `loader` takes DataLoaderLite's batches in turn, `overfit` repeats the first one.
"""

import hashlib
import subprocess
import tempfile
from functools import partial
from pathlib import Path

import numpy as np
import torch

from golden_io import ROOT, digits9, write_json
from video_gpt2 import GPT, MODELS, DataLoaderLite, train_step

SEED = 1337
TALES_BYTES = 4_000_000


def byte_ids(text):
    """Ids of GPT-2's byte order: the printable bytes first, then the others, each in ascending order."""
    printable = [
        *range(ord("!"), ord("~") + 1),
        *range(ord("¡"), ord("¬") + 1),
        *range(ord("®"), ord("ÿ") + 1),
    ]
    order = printable + [byte for byte in range(256) if byte not in printable]
    id_of = np.empty(256, dtype=np.int64)
    id_of[order] = np.arange(256)
    return torch.from_numpy(id_of[np.frombuffer(text, dtype=np.uint8)])


def tales(options):
    """The corpus as the programs embed it: from a file, or from its sources."""
    if options.tales:
        text = options.tales.read_bytes()
    else:
        text = write_tales()
    assert len(text) >= TALES_BYTES, f"tales has {len(text)} bytes, not {TALES_BYTES}"
    return text[:TALES_BYTES]


def write_tales():
    calls = f"std::cout << gpt2::tales({TALES_BYTES});"
    main = f'#include <iostream>\n#include "common/tales/tales.h"\nint main() {{ {calls} }}\n'
    sources = [path for path in sorted((ROOT / "data/tales").glob("*.cpp")) if path.name != "main.cpp"]
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / "tales"
        sources.append(program.with_suffix(".cpp"))
        sources[-1].write_text(main)
        subprocess.run(["g++", "-std=c++20", "-I", ROOT, *sources, "-lfmt", "-o", program], check=True)
        return subprocess.run([program], check=True, capture_output=True).stdout


def gpt2_ids(options):
    import tiktoken
    from tiktoken.load import data_gym_to_mergeable_bpe_ranks
    from tiktoken_ext.openai_public import r50k_pat_str

    ranks = data_gym_to_mergeable_bpe_ranks(
        str(options.gpt2 / "vocab.bpe"), str(options.gpt2 / "encoder.json")
    )
    encoding = tiktoken.Encoding("gpt2", pat_str=r50k_pat_str, mergeable_ranks=ranks, special_tokens={})
    return torch.tensor(encoding.encode(options.shakespeare.read_text(encoding="utf-8")))


def train(config, ids, B, T, steps, overfit):
    """The losses of `steps` steps, each measured before its update."""
    torch.manual_seed(SEED)
    model = GPT(config)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-4)
    loader = DataLoaderLite(ids, B, T)
    batch = loader.next_batch()
    losses = []
    for _ in range(steps):
        losses.append(digits9(train_step(model, optimizer, *batch)))
        batch = batch if overfit else loader.next_batch()
    return losses


def largest_relative_difference(a, b):
    return max(abs(x - y) / y for x, y in zip(a, b, strict=True))


def with_one_thread(function):
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    result = function()
    torch.set_num_threads(threads)
    return result


def tiny(options):
    text = tales(options)
    ids, shape = byte_ids(text), {"B": 4, "T": 64}
    golden = {
        "model": "tiny",
        "data": f"tales, {TALES_BYTES} bytes",
        "tokenizer": "byte",
        "seed": SEED,
    } | shape
    golden |= {"data_sha256": hashlib.sha256(text).hexdigest(), "first_bytes": text[:64].decode()}
    for name, steps, overfit in (("loader", 50, False), ("overfit", 35, True)):
        run = partial(train, MODELS["tiny"], ids, **shape, steps=steps, overfit=overfit)
        golden[name] = run()
        # How far torch is from itself when only the order of its sums changes: the floor of any comparison.
        golden[f"{name}_one_thread_difference"] = largest_relative_difference(
            with_one_thread(run), golden[name]
        )
    golden["overfit_1000_last"] = train(MODELS["tiny"], ids, **shape, steps=1000, overfit=True)[-1]
    return golden


def gpt2(options):
    ids, shape = gpt2_ids(options), {"B": 4, "T": 32}
    golden = {"model": "gpt2", "data": "tiny Shakespeare", "tokenizer": "tiktoken gpt2", "seed": SEED} | shape
    golden["first_ids"] = ids[:10].tolist()
    for name, overfit in (("loader", False), ("overfit", True)):
        golden[name] = train(MODELS["gpt2"], ids, **shape, steps=3, overfit=overfit)
    return golden


def make(options):
    write_json(options.out / "losses.json", {"tiny": tiny(options), "gpt2": gpt2(options)})
