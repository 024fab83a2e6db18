"""an all-reduce sends 2 (N - 1) / N; its second half is not needed here, since weights are gathered instead of gradients."""
import runpy
from pathlib import Path

count = runpy.run_path(str(Path(__file__).parent.parent / "answers.py"))["number_of_parameters"]


def answers(p):
    gb, N, k = count(p) / 1e9, p["ranks"], p["micro_batches"]
    return {"sent1_gb": 3 * (N - 1) / N * 2 * gb}
