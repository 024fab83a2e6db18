"""master weight and moments are read and written: both ways cross the memory, and both count."""
import runpy
from pathlib import Path

count = runpy.run_path(str(Path(__file__).parent.parent / "answers.py"))["number_of_parameters"]


def answers(p):
    return {"moved_gb": count(p) * 16 / 1e9}
