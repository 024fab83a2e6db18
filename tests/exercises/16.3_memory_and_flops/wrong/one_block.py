"""this is one block; all n_layer of them keep their activations until the backward pass has reached them."""
import runpy
from pathlib import Path

solution = runpy.run_path(str(Path(__file__).parent.parent / "answers.py"))


def answers(p):
    return {f"{mode}_gb": solution["kept_gb"](p, mode) / p["n_layer"] for mode in solution["ROWS"]}
