"""torch's side of the timing table: the video's training step under PyTorch, as the video has it at each chapter.

    python tests/bench/torch_gpt2.py --chapter 06 --model gpt2 --batch 4 --seq 256 --steps 12 --threads 2 --data F.txt

Prints JSON lines: `config` (with the peak resident bytes that importing torch alone takes), one `step` a step
(step loss ms), `note` where something could not be had, and `done` (median ms, the first steps left out; tokens
a second; peak bytes). The model is tests/golden/video_gpt2.py, seeded as the programs are, and reads a text by
bytes as they do, so that the losses can be compared before the times are.

  04  fp32, eager, attention written out, AdamW with torch's defaults
  05  set_float32_matmul_precision (--matmul-precision: high as in the video, highest, medium)
  06  autocast to bf16
  07  torch.compile
  08  F.scaled_dot_product_attention
  09  a vocabulary of 50304

A stock torch is a weak opponent, so this one is made as fast as its user could make it:
  - threads are set, and matrix products run in the precision of the chapter;
  - zero_grad(set_to_none=True), and AdamW in the variant that --adamw names: `default` is what torch chooses
    itself (on the CPU a loop over the tensors). --time-adamw times all of them at this model and ends: take the
    fastest;
  - memory: the program starts itself again with glibc told to use transparent huge pages, never to serve a
    large block by mmap and never to give memory back. Otherwise every step pays for page faults on all its
    activations. --stock leaves the allocator as it is.
"""

import argparse
import contextlib
import json
import os
import resource
import statistics
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/golden"))

HUGE = 1 << 40
TUNABLES = {"hugetlb": 1, "mmap_threshold": HUGE, "mmap_max": 0, "trim_threshold": HUGE, "top_pad": 1 << 28}
WARM_UP = 3


@dataclass
class Chapter:
    precision: str = "highest"
    autocast: bool = False
    compiled: bool = False
    flash: bool = False
    padded: bool = False


CHAPTERS = {
    "04": Chapter(),
    "05": Chapter("high"),
    "06": Chapter("high", autocast=True),
    "07": Chapter("high", autocast=True, compiled=True),
    "08": Chapter("high", autocast=True, compiled=True, flash=True),
    "09": Chapter("high", autocast=True, compiled=True, flash=True, padded=True),
}
ADAMW = ("default", "foreach", "fused")


def parse_arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--chapter", choices=sorted(CHAPTERS), default="04")
    parser.add_argument("--matmul-precision", choices=("highest", "high", "medium"))
    parser.add_argument("--model", choices=("gpt2", "tiny"), default="gpt2")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--seq", type=int, default=256)
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--seed", type=int, default=1337)
    parser.add_argument("--data", type=Path, help="a text, read by bytes")
    parser.add_argument("--overfit", action="store_true", help="repeat the first batch")
    parser.add_argument("--adamw", choices=ADAMW, default="default")
    parser.add_argument("--time-adamw", action="store_true", help="time each variant of AdamW and end")
    parser.add_argument("--stock", action="store_true", help="leave the memory allocator as it is")
    arguments = parser.parse_args()
    if arguments.steps <= WARM_UP:
        parser.error(f"--steps {arguments.steps}: more than the {WARM_UP} that are left out, please")
    if arguments.data is None and not arguments.time_adamw:
        parser.error("--data: a text, please")
    return arguments


def restart_with_tuned_allocator():
    """glibc reads its tunables at start only."""
    tunables = ":".join(f"glibc.malloc.{name}={value}" for name, value in TUNABLES.items())
    if os.environ.get("GLIBC_TUNABLES") != tunables:
        os.environ["GLIBC_TUNABLES"] = tunables
        os.execv(sys.executable, [sys.executable, *sys.argv])


def report(event, **values):
    print(json.dumps({"event": event} | values), flush=True)


def peak_bytes(device):
    import torch

    if device == "cuda":
        return torch.cuda.max_memory_allocated()
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def adamw(parameters, variant):
    import torch

    return torch.optim.AdamW(parameters, lr=3e-4, **({} if variant == "default" else {variant: True}))


class Training:
    """One chapter's model, optimizer and step."""

    def __init__(self, chapter, arguments, config):
        import torch
        from video_gpt2 import GPT

        self.device = arguments.device
        self.autocast = contextlib.nullcontext
        if chapter.autocast:
            self.autocast = lambda: torch.autocast(device_type=self.device, dtype=torch.bfloat16)
        torch.set_float32_matmul_precision(chapter.precision)
        torch.manual_seed(arguments.seed)
        vocab_size = config.vocab_size if not chapter.padded else (config.vocab_size + 127) // 128 * 128
        model = GPT(replace(config, flash=chapter.flash, vocab_size=vocab_size))  # drawn on the CPU, as ours
        model.to(self.device)
        self.optimizer = adamw(model.parameters(), arguments.adamw)
        self.model = torch.compile(model) if chapter.compiled else model

    def step(self, x, y):
        """Returns the loss before the update."""
        self.optimizer.zero_grad(set_to_none=True)
        with self.autocast():
            _, loss = self.model(x, y)
        loss.backward()
        self.optimizer.step()
        return loss.item()  # waits for the device


def milliseconds_of(function):
    start = time.perf_counter()
    result = function()
    return 1000 * (time.perf_counter() - start), result


def time_adamw(arguments, config):
    """The median step of each variant, in ms."""
    import torch
    from video_gpt2 import GPT

    parameters = list(GPT(config).to(arguments.device).parameters())
    for parameter in parameters:
        parameter.grad = torch.randn_like(parameter)
    wait = torch.cuda.synchronize if arguments.device == "cuda" else lambda: None
    times = {}
    for variant in ADAMW:
        optimizer = adamw(parameters, variant)
        runs = [milliseconds_of(lambda: (optimizer.step(), wait()))[0] for _ in range(2 * WARM_UP + 1)]
        times[variant] = round(statistics.median(runs[WARM_UP:]), 3)
    report("adamw", **times, fastest=min(times, key=times.get))


def first_step(chapter, arguments, config, x, y):
    """The training after its first step, that step's ms and loss; without torch.compile if that fails here."""
    training = Training(chapter, arguments, config)
    try:
        return training, *milliseconds_of(lambda: training.step(x, y))
    except Exception as error:
        if not chapter.compiled:
            raise
        what = str(error).strip().splitlines() or [type(error).__name__]
        report("note", text=f"torch.compile failed, so this is eager: {what[0]}")
        return first_step(replace(chapter, compiled=False), arguments, config, x, y)


def train(chapter, arguments, config):
    import torch
    from losses import byte_ids
    from video_gpt2 import DataLoaderLite

    loader = DataLoaderLite(byte_ids(arguments.data.read_bytes()), arguments.batch, arguments.seq)
    batch = loader.next_batch()
    on_device = [part.to(arguments.device) for part in batch]
    torch.manual_seed(arguments.seed)
    training, ms, loss = first_step(chapter, arguments, config, *on_device)
    times = [ms]
    report("step", step=0, loss=float(f"{loss:.9g}"), ms=round(ms, 3))
    for step in range(1, arguments.steps):
        start = time.perf_counter()
        if not arguments.overfit:
            batch = loader.next_batch()
        loss = training.step(*[part.to(arguments.device) for part in batch])
        times.append(1000 * (time.perf_counter() - start))
        report("step", step=step, loss=float(f"{loss:.9g}"), ms=round(times[-1], 3))
    return statistics.median(times[WARM_UP:])


def main():
    arguments = parse_arguments()
    if not arguments.stock:
        restart_with_tuned_allocator()
    os.environ["OMP_NUM_THREADS"] = str(arguments.threads)  # before torch's thread pools exist

    import torch
    from video_gpt2 import MODELS

    torch.set_num_threads(arguments.threads)
    config = MODELS[arguments.model]
    if arguments.time_adamw:
        time_adamw(arguments, config)
        return
    chapter = CHAPTERS[arguments.chapter]
    if arguments.matmul_precision:
        chapter = replace(chapter, precision=arguments.matmul_precision)
    settings = vars(arguments) | vars(chapter) | {"data": str(arguments.data), "torch": torch.__version__}
    report("config", **settings, imported_bytes=peak_bytes("cpu"))
    median = train(chapter, arguments, config)
    tokens_per_sec = round(1000 * arguments.batch * arguments.seq / median, 2)
    report("done", ms=round(median, 3), tokens_per_sec=tokens_per_sec, peak_bytes=peak_bytes(arguments.device))


if __name__ == "__main__":
    main()
