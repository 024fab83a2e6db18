"""with this number of ranks it does not fit yet: round up."""
import runpy
from pathlib import Path

count = runpy.run_path(str(Path(__file__).parent.parent / "answers.py"))["number_of_parameters"]


def answers(p):
    gb, N, k = count(p) / 1e9, p["ranks"], p["micro_batches"]
    return {"ranks_needed": int(12 * gb / (p["room_gb"] - 4 * gb))}
