"""Runs the tests and measurements that want a GPU, the most important first, until its time is over.

    tests/gpu/run.sh CALL [--seconds N] [--bin DIR] [--out DIR] [--rehearse]

Each result is written at once as a line of OUT/results.jsonl, so that half a run is half a table:
    test     binary, passed, skipped, failed (names); a test that failed is run again, alone
    timing   name, program, batch, ms, tokens_per_sec, peak_bytes, first_loss, last_loss
    torch    the same of PyTorch, by tests/bench/torch_gpt2.py
    tool     name, status, and the last lines of its output
each with `seconds`, and `error` where something went wrong. OUT/NAME.txt has what the program printed. A table ends it.

--rehearse runs the same on a machine without a GPU, with models small enough for the executor (cmake --build
build/cpu --target steps_on_executor).
"""

import argparse
import json
import re
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@dataclass
class Job:
    kind: str
    name: str
    command: list
    limit: int  # seconds
    facts: dict  # written into its line


class Call:
    """Runs jobs one after another, each within its own limit and all within `seconds`."""

    def __init__(self, arguments):
        self.arguments = arguments
        self.end = time.monotonic() + arguments.seconds
        self.out = arguments.out
        self.out.mkdir(parents=True, exist_ok=True)
        self.results = []

    def program(self, name):
        if self.arguments.rehearse and not (self.arguments.bin / name).exists():
            return str(self.arguments.bin.parent / name)  # tests, beside the folder of programs on the executor
        return str(self.arguments.bin / name)

    def left(self):
        return self.end - time.monotonic()

    def write(self, result):
        self.results.append(result)
        with open(self.out / "results.jsonl", "a", encoding="utf-8") as file:
            file.write(json.dumps(result) + "\n")
        print(json.dumps(result), flush=True)

    def run(self, job, read):
        """Runs the job and writes its line: facts, what `read(output)` finds, seconds, and an error if there is one."""
        line = {"kind": job.kind, "name": job.name, **job.facts}
        limit = min(job.limit, self.left())
        if limit < 2:
            self.write({**line, "error": "no time was left"})
            return
        start = time.monotonic()
        output, error = self.output_of(job, limit)
        line["seconds"] = round(time.monotonic() - start, 1)
        if error:
            line["error"] = error
        try:
            line.update(read(output))
        except (ValueError, KeyError, IndexError, OSError) as problem:
            line.setdefault("error", f"no result: {problem}")
        self.write(line)

    def output_of(self, job, limit):
        path = self.out / f"{job.name}.txt"
        with open(path, "w", encoding="utf-8") as file:
            try:
                status = subprocess.run(job.command, cwd=ROOT, stdout=file, stderr=subprocess.STDOUT, timeout=limit,
                                        check=False).returncode
                error = f"exit status {status}" if status else ""
            except subprocess.TimeoutExpired:
                error = f"stopped after {limit:.0f} s"
            except OSError as problem:
                error = str(problem)
        output = path.read_text(encoding="utf-8", errors="replace")
        if error and output.strip():
            error += ": " + output.strip().splitlines()[-1][:200]
        return output, error


# ---- tests


def failed_tests(output):
    """Names of the tests that failed, and of the one that was running when the program ended."""
    failed = re.findall(r"^\[  FAILED  \] ([^ ,]+).* \(\d+ ms\)$", output, re.MULTILINE)
    if "[==========]" not in output.rsplit("[ RUN      ]", 1)[-1]:
        running = re.findall(r"^\[ RUN      \] (\S+)", output, re.MULTILINE)
        failed += [name for name in running[-1:] if name not in failed]
    return failed


def count(output, what):
    return len(re.findall(rf"^\[ *{what} \] \S+ \(", output, re.MULTILINE))


def test(call, binary, pattern, limit):
    """All tests of the binary in one process; those that failed again, each alone, since a GPU's error stays."""
    flags = ["--gtest_color=no", f"--gtest_filter={pattern}"]
    found = {}

    def read(output):
        found["failed"] = failed_tests(output)
        return {"passed": count(output, "OK"), "skipped": count(output, "SKIPPED"), "failed": found["failed"]}

    call.run(Job("test", binary, [call.program(binary), *flags], limit, {}), read)
    for name in found.get("failed", [])[:8]:
        job = Job("test", f"{binary}.{re.sub('[^A-Za-z0-9]', '_', name)}",
                  [call.program(binary), "--gtest_color=no", f"--gtest_filter={name}"], 60, {"alone": name})
        call.run(job, lambda output: {"passed": count(output, "OK"), "failed": failed_tests(output)})


def test_everything(call):
    folder = call.arguments.bin.parent if call.arguments.rehearse else call.arguments.bin
    binaries = sorted(path.name for path in folder.glob("*_test"))
    steps = [name for name in binaries if re.match(r"\d\d_", name)]
    test(call, "common_test", "On/Matmul*/cuda*" if call.arguments.rehearse else "*/cuda*", 150)
    for name in steps[:1] if call.arguments.rehearse else steps:
        test(call, name, "*/cuda*", 40)


# ---- times


def events_of(log):
    return [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]


def summary_of(log):
    """What a program's log, or torch's output, says about its speed."""
    events = events_of(log)
    losses = [event["loss"] for event in events if event.get("event") == "step"]
    done = [event for event in events if event.get("event") == "done"]
    found = {"first_loss": losses[0], "last_loss": losses[-1], "steps": len(losses)}
    for key in ("ms", "ms_spread", "tokens_per_sec", "peak_bytes"):
        if done and key in done[-1]:
            found[key] = done[-1][key]
    return found


def time_step(call, name, program, *flags, limit=40):
    log = call.out / f"{name}.jsonl"
    model = [] if call.arguments.rehearse else ["--model", "gpt2"]
    command = [call.program(program), "--device", "cuda", "--log", str(log), *model, *flags]
    call.run(Job("timing", name, command, limit, {"program": program, "flags": " ".join(flags)}),
             lambda _: summary_of(log))


def shape(call, batch, steps):
    if call.arguments.rehearse:
        return ["--batch", "2", "--seq", "32", "--steps", "4"]
    return ["--batch", str(batch), "--seq", "1024", "--steps", str(steps)]


def total(call, batch):
    return ["--total-batch", "64" if call.arguments.rehearse else str(batch * 1024)]


def time_torch(call, name, chapter, batch, steps):
    text = call.out / "tales.txt"
    if not text.exists():
        with open(text, "wb") as file:
            subprocess.run([call.program("tales"), "--bytes", "4000000"], stdout=file, check=False)
    device = "cpu" if call.arguments.rehearse else "cuda"
    command = ["python3", "tests/bench/torch_gpt2.py", "--chapter", chapter, "--device", device, "--adamw", "fused",
               "--data", str(text), *shape(call, batch, steps)]
    if call.arguments.rehearse:
        command += ["--model", "tiny"]
    call.run(Job("torch", name, command, 90, {"chapter": chapter, "batch": batch}),
             lambda _: summary_of(call.out / f"{name}.txt"))


def time_large(call):
    """What a large card is for: 65,536 tokens at a time."""
    time_step(call, "09_64", "09_vocab", *shape(call, 64, 20))
    time_step(call, "10_64", "10_adamw", *shape(call, 64, 20))
    time_step(call, "13_64", "13_fineweb", *shape(call, 64, 20), *total(call, 64))
    time_step(call, "14_64", "14_cuda_graph", *shape(call, 64, 20), *total(call, 64), "--cuda-graph", "on")
    time_step(call, "15_64", "15_bf16_weights", *shape(call, 64, 20), *total(call, 64))
    for mode in ("gelu", "layernorm", "block"):
        time_step(call, f"16_64_{mode}", "16_recompute", *shape(call, 64, 20), *total(call, 64), "--recompute", mode)
    time_step(call, "09_64_own", "09_vocab", *shape(call, 64, 20), "--attention", "own")
    time_torch(call, "torch_09_64", "09", 64, 20)


def time_all(call):
    """The timing table at the video's batch."""
    time_step(call, "04_16", "04_overfit", *shape(call, 16, 12))
    time_step(call, "05_16_highest", "05_tf32", *shape(call, 16, 12), "--matmul-precision", "highest")
    for number, program in (("05", "05_tf32"), ("06", "06_bf16"), ("07", "07_fusion"), ("08", "08_flash_attention"),
                            ("09", "09_vocab"), ("10", "10_adamw")):
        time_step(call, f"{number}_16", program, *shape(call, 16, 20))
    for number, program in (("11", "11_grad_accum"), ("12", "12_ddp"), ("13", "13_fineweb"), ("14", "14_cuda_graph"),
                            ("15", "15_bf16_weights"), ("16", "16_recompute"), ("17", "17_zero")):
        time_step(call, f"{number}_16", program, *shape(call, 16, 20), *total(call, 16))
    for chapter in ("09", "07", "06", "05", "04"):
        time_torch(call, f"torch_{chapter}_16", chapter, 16, 20)


def time_night(call):
    """The night's first 30 steps of 2^19 tokens, and a minute of shakespeare-char."""
    if call.arguments.rehearse:
        time_step(call, "13_night", "13_fineweb", *shape(call, 64, 2), "--total-batch", "128", "--warmup", "2")
        return
    time_step(call, "13_night", "13_fineweb", "--batch", "64", "--seq", "1024", "--total-batch", "524288", "--steps", "30",
              "--warmup", "715", limit=90)
    log = call.out / "shakespeare.jsonl"
    command = [call.program("13_fineweb"), "--device", "cuda", "--preset", "shakespeare-char", "--out",
               str(call.out / "shakespeare"), "--log", str(log)]
    call.run(Job("timing", "shakespeare", command, 60, {"program": "13_fineweb"}), lambda _: summary_of(log))


# ---- the columns "measured" of docs/timing/gpu_predictions.md


def keep(call, step, batch, kind, path, *flags):
    """Puts a time into docs/timing/gpu_measured.json, which `python3 tests/gpu/predict page` reads."""
    gpu = subprocess.run(["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"], capture_output=True, text=True,
                         check=False).stdout if shutil.which("nvidia-smi") else ""
    known = re.search("H200|H100|A100|RTX 4090", gpu)
    if not known or not path.exists():
        return
    command = ["python3", "tests/gpu/predict", "measured", "--gpu", known[0], "--step", step, "--batch", str(batch), kind,
               str(path), *flags]
    call.run(Job("keep", f"keep_{path.stem}", command, 10, {}), lambda _: {})
    shutil.copy(ROOT / "docs/timing/gpu_measured.json", call.out)


def keep_times(call):
    for line in [line for line in call.results if line["kind"] == "timing" and "error" not in line]:
        if line["program"][:2] in ("06", "07", "08", "09", "10", "13") and re.search(r"_\d\d(_own)?$", line["name"]):
            name, batch = line["name"].split("_")[:2]
            attention = ["--attention", "own" if line["name"].endswith("own") else "cudnn"] if name >= "08" else []
            keep(call, line["program"], int(batch), "--log", call.out / f"{line['name']}.jsonl", *attention)


# ---- tools


def last_lines(output):
    return {"output": output.strip().splitlines()[-4:]}


def profile(call):
    """Time of each kernel of one step, without the matrix products, which are tried out in the first step."""
    command = ["ncu", "--clock-control", "none", "--set", "basic", "--csv", "--kernel-name", "regex:_kernel|cudnn|sdpa",
               call.program("09_vocab"), "--device", "cuda", "--model", "gpt2", "--batch", "64", "--seq", "1024", "--steps",
               "1", "--attention", "cudnn"]
    call.run(Job("tool", "ncu", command, 100, {}), last_lines)
    keep(call, "09_vocab", 64, "--ncu", call.out / "ncu.txt")


def sanitize(call):
    """compute-sanitizer on our kernels; cuBLASLt's and cuDNN's take too long under racecheck."""
    ours = "*/cuda*-*Matmul*:*Cudnn*:*Memory*"
    for tool, limit in (("memcheck", 80), ("racecheck", 80)):
        command = ["compute-sanitizer", "--tool", tool, "--error-exitcode", "1", call.program("common_test"),
                   "--gtest_color=no", "--gtest_brief=1", f"--gtest_filter={ours}"]
        call.run(Job("tool", tool, command, limit, {}), last_lines)


CALLS = {"1": [time_large, test_everything, time_all, time_night, keep_times], "2": [profile, sanitize]}


def print_table(results):
    print(f"\n{'kind':8} {'name':28} {'ms':>9} {'tokens/s':>10} {'GB':>6} {'loss':>8} {'seconds':>8}  remark")
    for line in results:
        remark = line.get("error", "")
        if line["kind"] == "test":
            remark = f"{line.get('passed', 0)} passed, {len(line.get('failed', []))} failed, " \
                     f"{line.get('skipped', 0)} skipped  {' '.join(line.get('failed', []))[:120]}  {remark}"
        number = lambda key, scale, form: format(line[key] / scale, form) if key in line else ""
        print(f"{line['kind']:8} {line['name'][:28]:28} {number('ms', 1, '.2f'):>9} "
              f"{number('tokens_per_sec', 1, ',.0f'):>10} {number('peak_bytes', 1e9, '.1f'):>6} "
              f"{number('last_loss', 1, '.4f'):>8} {line.get('seconds', ''):>8}  {remark}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("call", choices=sorted(CALLS))
    parser.add_argument("--seconds", type=int, help="time for all (default: 460 for call 1, 230 for call 2)")
    parser.add_argument("--bin", type=Path, help="folder of the programs (default: bin/ of a bundle, else build/cuda/bin)")
    parser.add_argument("--out", type=Path, default=Path("build/gpu"))
    parser.add_argument("--rehearse", action="store_true")
    arguments = parser.parse_args()
    arguments.seconds = arguments.seconds or (460 if arguments.call == "1" else 230)
    if arguments.bin is None:
        built = ROOT / ("build/cpu/bin/executor" if arguments.rehearse else "build/cuda/bin")
        arguments.bin = ROOT / "bin" if (ROOT / "bin").is_dir() else built
    arguments.bin = arguments.bin.resolve()
    arguments.out = arguments.out.resolve()
    call = Call(arguments)
    for part in CALLS[arguments.call]:
        part(call)
    print_table(call.results)
    return 1 if any("error" in line or line.get("failed") for line in call.results) else 0


if __name__ == "__main__":
    raise SystemExit(main())
