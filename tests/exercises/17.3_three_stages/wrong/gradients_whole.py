"""you kept all gradients; stage 2 keeps those of a rank's own part only."""
import runpy
from pathlib import Path

count = runpy.run_path(str(Path(__file__).parent.parent / "answers.py"))["number_of_parameters"]


def answers(p):
    gb, N, k = count(p) / 1e9, p["ranks"], p["micro_batches"]
    return {"stage2_gb": 4 * gb + 12 * gb / N}
