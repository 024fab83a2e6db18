"""a sum is float32 if one of its terms is: a float32 stream is not rounded because a bf16 branch is added to it."""
import runpy
from pathlib import Path

truth = runpy.run_path(str(Path(__file__).parent.parent / "answers.py"))


def answers(p):
    types = {truth["parse"](p[line])[0]: types[0] for line, types in truth["answers"](p).items()}
    found = {}
    for line, text in list(p.items())[2:]:
        name, op, words = truth["parse"](text)
        if op == "+" and "bf16" in [types.get(word) for word in words]:
            if types[name] == "float32":
                found[line] = ["bf16", "bf16"]
    return found
