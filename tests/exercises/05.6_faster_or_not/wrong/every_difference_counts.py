"""the medians differ, but the middle halves of the two runs overlap: this difference may be noise."""
import runpy
from pathlib import Path

truth = runpy.run_path(str(Path(__file__).parent.parent / "answers.py"))


def answers(p):
    ratios = {name: truth["ratio"](pair) for name, pair in p.items() if truth["verdict"](pair) == "unclear"}
    return {name: ["faster" if ratio > 1 else "slower", ratio] for name, ratio in ratios.items()}
