"""you divided the moments only; the master weights belong to the optimizer's state as well."""
import runpy
from pathlib import Path

count = runpy.run_path(str(Path(__file__).parent.parent / "answers.py"))["number_of_parameters"]


def answers(p):
    gb, N, k = count(p) / 1e9, p["ranks"], p["micro_batches"]
    return {"stage1_gb": 8 * gb + 8 * gb / N}
