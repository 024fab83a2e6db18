"""python3 tests/gpu/predict VERB: what can be said of the CUDA kernels without a GPU.

  gates                         compiles every kernel for every architecture and checks the compiled code
  page --counts FILE [--check]  writes docs/timing/gpu_predictions.md, or compares; FILE is what step_counts prints
  measured --gpu H200 --step 09_vocab --batch 64 [--ncu CSV] [--log JSONL --attention cudnn]
                                keeps measurements for the page's empty columns
"""
import argparse
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import counts
import cubins
import gates
import gpus
import launches
import measured
import page
from model import Model

PAGE = cubins.ROOT / "docs/timing/gpu_predictions.md"
BATCHES = (16, 64)
MEASURED = cubins.ROOT / "docs/timing/gpu_measured.json"


def gate(options):
    start = time.time()
    compiled = cubins.compiled(options.architectures)
    print(gates.summary(compiled))
    faults = list(gates.check_code(compiled))
    gpu = gpus.GPUS[gates.GATED]
    if gpu.architecture in compiled:
        issues = gates.measured_issue(compiled[gpu.architecture])
        faults += gates.check_issue(issues)
        print(f"{'issue slots / memory time on an ' + gpu.name:78} instructions of a warp")
        for found in sorted(issues, key=lambda found: -found.ratio(gpu)):
            print(f"{found.launch.kernel:70} {found.ratio(gpu):5.2f} {found.instructions:8.0f}  {found.launch.over}")
    for fault in faults:
        print(f"gate: {fault}", file=sys.stderr)
    print(f"{len(faults)} faults, {time.time() - start:.0f} s")
    return 1 if faults else 0


def both_tables(kernels):
    return [gates.measured_issue(kernels, table) for table in (launches.BOUND_BY_MEMORY, launches.BOUND_BY_ARITHMETIC)]


def predict(options):
    steps = counts.of_steps(Path(options.counts).read_text(), BATCHES)
    compiled = cubins.compiled(sorted({gpu.architecture for gpu in gpus.GPUS.values()}))
    with ProcessPoolExecutor() as pool:
        issues = dict(zip(compiled, pool.map(both_tables, compiled.values())))
    models = {name: Model(gpu, *issues[gpu.architecture]) for name, gpu in gpus.GPUS.items()}
    old = PAGE.read_text()
    compiler = f"nvcc {cubins.compiler()}"
    new = page.replaced(old, page.text(models, steps, measured.load(MEASURED), compiler))
    if not options.check:
        PAGE.write_text(new)
    elif new != old and compiler in old:
        print(f"{PAGE.relative_to(cubins.ROOT)} is not what the kernels give: python3 tests/gpu/predict page --counts FILE",
              file=sys.stderr)
        return 1
    print("cuDNN's deterministic backward pass would add {:.1f} to {:.1f} ms".format(*page.deterministic_cost(models, steps)))
    return 0


def keep(options):
    data, batch = measured.load(MEASURED), options.batch
    if options.ncu:
        data["kernels"][measured.key(options.gpu, options.step, batch)] = measured.read_ncu(Path(options.ncu).read_text().splitlines())
    if options.log:
        step = f"{options.step} {options.attention}".strip()
        data["steps"][measured.key(options.gpu, step, batch)] = measured.read_log(Path(options.log).read_text().splitlines())
    measured.store(MEASURED, data)
    return 0


def main():
    top = argparse.ArgumentParser(prog="tests/gpu/predict", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = top.add_subparsers(dest="verb", required=True)
    verb = verbs.add_parser("gates")
    verb.add_argument("--architectures", type=int, nargs="+", default=list(cubins.ARCHITECTURES))
    verb.set_defaults(run=gate)
    verb = verbs.add_parser("page")
    verb.add_argument("--counts", required=True)
    verb.add_argument("--check", action="store_true")
    verb.set_defaults(run=predict)
    verb = verbs.add_parser("measured")
    for flag in ("--gpu", "--step"):
        verb.add_argument(flag, required=True)
    verb.add_argument("--batch", type=int, required=True)
    for flag in ("--ncu", "--log"):
        verb.add_argument(flag)
    verb.add_argument("--attention", default="", choices=["", "own", "cudnn"])
    verb.set_defaults(run=keep)
    options = top.parse_args()
    try:
        return options.run(options)
    except cubins.ToolMissing as missing:
        print(f"tests/gpu/predict: {missing}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
