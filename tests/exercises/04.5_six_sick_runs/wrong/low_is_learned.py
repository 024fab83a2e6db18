"""a low loss can be a text learned by heart, but not within 50 steps; and what does this model write?"""
import runpy
from pathlib import Path

MISTAKEN = {"targets": "validation"}


def answers(p):
    right = runpy.run_path(str(Path(__file__).parent.parent / "answers.py"))["answers"](p)
    return {run: MISTAKEN[fault] for run, fault in right.items() if fault in MISTAKEN}
