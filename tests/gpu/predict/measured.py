"""Measurements for the page's empty columns: ncu's CSV and the logs of programs, kept in docs/timing/gpu_measured.json."""
import csv
import json
import re

UNITS = {"ns": 1e-6, "nsecond": 1e-6, "us": 1e-3, "usecond": 1e-3, "ms": 1, "msecond": 1, "s": 1e3, "second": 1e3}
TIMES = ("Duration", "gpu__time_duration.sum")
# what ncu calls a kernel -> the line of the page; of ours the name as far as _kernel
OTHERS = [
    (r"\b(add_layer_norm\w*|\w+)_kernel\b", None),
    (r"cudnn.*(bprop|bwd|backward)", "flash_attention_backward, cuDNN"),
    (r"cudnn|fmha|sdpa", "flash_attention_forward, cuDNN"),
    (r"gemm|nvjet|cutlass|xmma|splitK", "products"),
]
# our kernels whose name is not that of the op
OPS = {"squares": "global_norm", "root": "global_norm", "mean": "fused_cross_entropy_forward", "cast": "copy_strided",
       "forward": "flash_attention_forward, own", "backward_keys": "flash_attention_backward, own",
       "backward_queries": "flash_attention_backward, own", "row_statistics": "flash_attention_backward, own"}


def line_of(kernel):
    for pattern, line in OTHERS:
        if found := re.search(pattern, kernel, re.IGNORECASE):
            return line or OPS.get(found[1], found[1])
    return "other"


def read_ncu(lines):
    """{line of the page: ms} of `ncu --csv`; what ncu and the program print before the table is skipped."""
    lines = list(lines)
    start = next((i for i, line in enumerate(lines) if line.startswith('"ID"')), None)
    if start is None:
        raise SystemExit("no table of ncu: its first column is ID")
    found = {}
    for row in csv.DictReader(lines[start:]):
        if row["Metric Name"] in TIMES:
            ms = float(row["Metric Value"].replace(",", "")) * UNITS[row["Metric Unit"]]
            line = line_of(row["Kernel Name"])
            found[line] = found.get(line, 0) + ms
    return found


def read_log(lines):
    """The median of a program's log, in ms."""
    done = [event for event in map(json.loads, lines) if event.get("event") == "done"]
    if not done:
        raise SystemExit("no event \"done\" in the log: the run did not end")
    return done[-1]["ms"]


def key(gpu, step, batch):
    return f"{gpu}, {step}, B = {batch}"


def load(path):
    return json.loads(path.read_text()) if path.exists() else {"steps": {}, "kernels": {}}


def store(path, data):
    path.write_text(json.dumps(data, indent=1, sort_keys=True) + "\n")
