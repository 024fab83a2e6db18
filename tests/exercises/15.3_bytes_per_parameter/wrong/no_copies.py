"""the bf16 copies of the weights, which matrix products read, are missing: 2 bytes for each parameter."""
import runpy
from pathlib import Path

count = runpy.run_path(str(Path(__file__).parent.parent / "answers.py"))["number_of_parameters"]


def answers(p):
    return {"autocast_gb": count(p) * 16 / 1e9}
