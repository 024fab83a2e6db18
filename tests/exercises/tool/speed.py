"""Points for speed: a test with "speed": true in exercise.json gives all of its points to work that takes up
to 1.2 times the reference's time in the same run, and none from 10 times on. Only correct work gets here. The
time is the processor's; of a kernel on the executor, what its warps do is counted instead."""

import math
import tempfile
from pathlib import Path

import builds
import judging
import sandbox

FULL, NONE, REPEATS = 1.2, 10.0, 3


def share(ratio):
    """Falls with the logarithm of the ratio: what doubles the time costs the same points everywhere."""
    return min(1.0, max(0.0, math.log(NONE / ratio) / math.log(NONE / FULL))) if ratio > 0 else 1.0


def with_points(exercise, folder, results, seed):
    timed = [result for result in results if result.passed and result.test.speed]
    if not timed:
        return results
    if not exercise.has_solution():
        for result in timed:
            result.message = "correct; your instructor's grader measures its speed"
        return results
    reference, own = _reference(exercise), builds.runner(exercise, folder)
    for result in timed:
        ratio = _ratio(exercise, folder, own, reference, result.test, seed)
        result.share = round(share(ratio), 2)
        what = "memory accesses and barriers" if exercise.kind == "K" else "time"
        result.message = f"{ratio:.2f} times the reference's {what}"
    return results


def _reference(exercise):
    with sandbox.left(), tempfile.TemporaryDirectory(prefix="reference-") as folder:
        for name, text in exercise.solution().items():
            (Path(folder) / name).write_bytes(text if isinstance(text, bytes) else text.encode())
        return builds.runner(exercise, Path(folder))


def _ratio(exercise, folder, own, reference, test, seed):
    """Both run in turns, so that a busy machine slows both; the least of each counts."""
    costs = {own: [], reference: []}
    for _ in range(1 if exercise.kind == "K" else REPEATS):
        for runner, found in costs.items():
            found.append(_cost(exercise, folder, runner, test, seed))
    return min(costs[own]) / max(min(costs[reference]), 1e-9)


def _cost(exercise, folder, runner, test, seed):
    outcome = judging.run_case(exercise, folder, runner, test.name, seed)
    if exercise.kind == "K":
        return int(outcome.values[-judging.COST_DIGITS :])
    empty = judging.run_case(
        exercise, folder, runner, "", seed
    )  # no such case: loading the program is not counted
    return max(outcome.cpu_seconds - empty.cpu_seconds, 1e-3)
