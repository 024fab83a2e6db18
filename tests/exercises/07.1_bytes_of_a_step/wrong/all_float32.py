"""you counted 4 bytes for every value; under autocast the inputs and results of this kernel are bf16, at least in part."""
import runpy
from pathlib import Path

sizes = runpy.run_path(str(Path(__file__).parent.parent / "answers.py"))["sizes"]


def answers(p):
    _, stream, hidden, scores, _ = sizes(p)
    L = p["n_layer"]
    return {"gelu_backward": L * hidden * 12 / 1e6, "causal_softmax_forward": scores * 8 / 1e6,
            "add_layer_norm_forward": (2 * L + 1) * stream * 16 / 1e6}
