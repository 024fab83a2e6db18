import json
from pathlib import Path

LOGS = Path(__file__).parent / "logs.json"


def parameters(draw):
    """One of the recorded runs of each kind, in an order of the student's own."""
    kinds = json.loads(LOGS.read_text())
    chosen = [draw.choice(kinds[kind]) for kind in sorted(kinds)]
    draw.shuffle(chosen)
    return {f"run_{i}": log for i, log in enumerate(chosen, 1)}
