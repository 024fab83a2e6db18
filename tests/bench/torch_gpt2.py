"""torch's side of the timing table: the video's training step under PyTorch.

    python tests/bench/torch_gpt2.py --chapter 04 --model gpt2 --batch 4 --seq 256 --steps 12 --threads 2

Prints JSON lines: `config` (with the peak resident MiB that importing torch alone takes), one `step` a step
(step loss ms) and `done` (median ms, the first steps left out; tokens a second; peak resident MiB). The model is
tests/golden/video_gpt2.py, seeded as the programs are, so that the losses can be compared before the times are.

A stock torch is a weak opponent, so this one is made as fast as its user could make it:
  - threads are set, and matrix products run in the precision of the chapter;
  - zero_grad(set_to_none=True), and AdamW in the variant that --adamw names: `default` is what torch chooses
    itself (on the CPU a loop over the tensors), `foreach` and `fused` are the others: measure, take the fastest;
  - memory: the program starts itself again with glibc told to use transparent huge pages, never to serve a
    large block by mmap and never to give memory back. Otherwise every step pays for page faults on all its
    activations. --stock leaves the allocator as it is.
"""

import argparse
import json
import os
import resource
import statistics
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/golden"))

HUGE = 1 << 40
TUNABLES = {"hugetlb": 1, "mmap_threshold": HUGE, "mmap_max": 0, "trim_threshold": HUGE, "top_pad": 1 << 28}
WARM_UP = 3


def parse_arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--chapter", choices=sorted(CHAPTERS), required=True)
    parser.add_argument("--model", choices=("gpt2", "tiny"), default="gpt2")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--seq", type=int, default=256)
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--seed", type=int, default=1337)
    parser.add_argument("--data", type=Path, help="token ids as raw int32; otherwise random ids")
    parser.add_argument("--overfit", action="store_true", help="repeat the first batch")
    parser.add_argument("--adamw", choices=("default", "foreach", "fused"), default="default")
    parser.add_argument("--stock", action="store_true", help="leave the memory allocator as it is")
    arguments = parser.parse_args()
    if arguments.steps <= WARM_UP:
        parser.error(f"--steps {arguments.steps}: more than the {WARM_UP} that are left out, please")
    return arguments


def restart_with_tuned_allocator():
    """glibc reads its tunables at start only."""
    tunables = ":".join(f"glibc.malloc.{name}={value}" for name, value in TUNABLES.items())
    if os.environ.get("GLIBC_TUNABLES") != tunables:
        os.environ["GLIBC_TUNABLES"] = tunables
        os.execv(sys.executable, [sys.executable, *sys.argv])


def report(event, **values):
    print(json.dumps({"event": event} | values), flush=True)


def peak_mib():
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)


def token_ids(arguments, vocab_size):
    import numpy as np
    import torch

    if arguments.data:
        return torch.from_numpy(np.fromfile(arguments.data, dtype=np.int32).astype(np.int64))
    count = arguments.steps * arguments.batch * arguments.seq + 1
    return torch.randint(vocab_size, (count,), generator=torch.Generator().manual_seed(arguments.seed))


class Chapter04:
    """Eager fp32, attention written out, AdamW with torch's defaults."""

    def __init__(self, arguments, config):
        import torch
        from video_gpt2 import GPT

        torch.set_float32_matmul_precision("highest")
        torch.manual_seed(arguments.seed)
        self.model = GPT(config).to(arguments.device)  # drawn on the CPU, as 04_overfit does
        variant = {} if arguments.adamw == "default" else {arguments.adamw: True}
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=3e-4, **variant)

    def step(self, x, y):
        """Returns the loss before the update."""
        self.optimizer.zero_grad(set_to_none=True)
        _, loss = self.model(x, y)
        loss.backward()
        self.optimizer.step()
        return loss.item()


CHAPTERS = {"04": Chapter04}


def main():
    arguments = parse_arguments()
    if not arguments.stock:
        restart_with_tuned_allocator()
    os.environ["OMP_NUM_THREADS"] = str(arguments.threads)  # before torch's thread pools exist

    import torch
    from video_gpt2 import MODELS, DataLoaderLite

    torch.set_num_threads(arguments.threads)
    config = MODELS[arguments.model]
    settings = vars(arguments) | {"data": str(arguments.data), "torch": torch.__version__}
    report("config", **settings, imported_mib=peak_mib())
    chapter = CHAPTERS[arguments.chapter](arguments, config)
    loader = DataLoaderLite(token_ids(arguments, config.vocab_size), arguments.batch, arguments.seq)
    x, y = loader.next_batch()
    times = []
    for step in range(arguments.steps):
        start = time.perf_counter()
        if step > 0 and not arguments.overfit:
            x, y = loader.next_batch()
        loss = chapter.step(x.to(arguments.device), y.to(arguments.device))
        times.append(1000 * (time.perf_counter() - start))
        report("step", step=step, loss=float(f"{loss:.9g}"), ms=round(times[-1], 3))
    median = statistics.median(times[WARM_UP:])
    tokens = arguments.batch * arguments.seq
    report("done", ms=round(median, 3), tokens_per_sec=round(1000 * tokens / median, 2), peak_mib=peak_mib())


if __name__ == "__main__":
    main()
