"""stochastic rounding moves the weight by a whole unit, so the probability is update / unit."""
import runpy
from pathlib import Path

half_unit = runpy.run_path(str(Path(__file__).parent.parent / "answers.py"))["half_unit"]


def answers(p):
    return {"steps_to_move": half_unit(p["weight"]) / abs(p["update"])}
