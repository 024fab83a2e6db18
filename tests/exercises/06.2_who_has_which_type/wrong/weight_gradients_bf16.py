"""the weight is float32, and its gradient too; only the copy that the product reads is rounded."""
import runpy
from pathlib import Path

truth = runpy.run_path(str(Path(__file__).parent.parent / "answers.py"))


def answers(p):
    return {line: [*types[:2], "bf16"] for line, types in truth["answers"](p).items() if len(types) == 3}
