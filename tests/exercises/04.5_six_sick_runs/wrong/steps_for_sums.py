"""does the norm grow and grow, or does the loss jump at once? The one is a sum that is never cleared,
the other a step that is too large."""
import runpy
from pathlib import Path

MISTAKEN = {"gradients": "rate too large", "rate too large": "gradients"}


def answers(p):
    right = runpy.run_path(str(Path(__file__).parent.parent / "answers.py"))["answers"](p)
    return {run: MISTAKEN[fault] for run, fault in right.items() if fault in MISTAKEN}
