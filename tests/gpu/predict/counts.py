"""The kernel calls and bytes of a step at any batch, from those that step_counts prints at small ones."""
import json
from collections import defaultdict

ONCE_A_STEP = {"adamw", "adamw_advance", "global_norm", "fill"}
TOKENS_A_STEP = 1 << 19  # of 13_fineweb


# Kernels that touch T x T matrices. The counts of others bend a little too, by the workspace of sums over few rows.
SQUARE = {"causal_mask", "causal_softmax_backward", "causal_softmax_forward", "copy_strided", "matmul", "scale",
          "softmax_backward", "softmax_forward"}


def fitted(points, is_square=True):
    """The function of (B, T) with terms in 1, T, B T and B T T through four points {(B, T): value}."""
    (b, t), (b2, t2) = min(points), max(points)
    short, long = ((points[b2, at] - points[b, at]) / (b2 - b) for at in (t, t2))  # what a sequence adds
    square = (long / t2 - short / t) / (t2 - t) if is_square else 0
    linear = long / t2 - square * t2
    rest = {at: points[b, at] - b * (linear * at + square * at * at) for at in (t, t2)}
    slope = (rest[t2] - rest[t]) / (t2 - t)
    constant = rest[t] - slope * t
    return lambda batch, seq: constant + slope * seq + batch * seq * (linear + square * seq)


def read(text):
    """{step: {kernel: (calls, function of (B, T) that gives bytes)}}"""
    calls, points = defaultdict(dict), defaultdict(lambda: defaultdict(dict))
    for line in map(json.loads, text.splitlines()):
        for kernel, (number, size) in line["kernels"].items():
            calls[line["step"]][kernel] = number
            points[line["step"]][kernel][line["batch"], line["seq"]] = size
    return {step: {kernel: (calls[step][kernel], fitted(by_shape, kernel in SQUARE)) for kernel, by_shape in kernels.items()}
            for step, kernels in points.items()}


def _at(step, kernels, batch, seq, micro=1):
    found = {}
    for kernel, (calls, size) in kernels.items():
        times = 1 if kernel in ONCE_A_STEP else micro
        found[kernel] = [calls * times, size(batch, seq) * times]
    return {"step": step, "batch": batch, "seq": seq, "micro_batches": micro, "kernels": found}


def of_steps(text, batches, seq=1024):
    """One entry for each step and batch. step_counts clips gradients, which begins with step 10."""
    found, steps = [], read(text)
    for batch in batches:
        micro = TOKENS_A_STEP // (batch * seq)
        for step, kernels in steps.items():
            if step < "10":
                without = {kernel: value for kernel, value in kernels.items() if kernel != "global_norm"}
                found.append(_at(step, without, batch, seq))
                last = kernels
        found.append(_at("10_adamw", last, batch, seq))
        found.append(_at("13_fineweb", last, batch, seq, micro))
        found += [_at(step, kernels, batch, seq, micro) for step, kernels in steps.items() if step > "13"]
    return found
