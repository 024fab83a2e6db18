"""the first loss is measured before the first step: no learning rate can change it."""
import runpy
from pathlib import Path

MISTAKEN = {"initialisation": "rate too large"}


def answers(p):
    right = runpy.run_path(str(Path(__file__).parent.parent / "answers.py"))["answers"](p)
    return {run: MISTAKEN[fault] for run, fault in right.items() if fault in MISTAKEN}
