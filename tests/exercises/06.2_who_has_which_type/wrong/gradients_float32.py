"""only the gradients of parameters are always float32; the gradient of a bf16 value is bf16."""
import runpy
from pathlib import Path

truth = runpy.run_path(str(Path(__file__).parent.parent / "answers.py"))


def answers(p):
    return {line: [types[0], "float32", *types[2:]] for line, types in truth["answers"](p).items() if types[0] == "bf16"}
