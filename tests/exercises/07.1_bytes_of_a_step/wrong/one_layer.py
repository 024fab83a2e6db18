"""this is one call; a step calls this kernel once or twice in each layer."""
import runpy
from pathlib import Path

sizes = runpy.run_path(str(Path(__file__).parent.parent / "answers.py"))["sizes"]


def answers(p):
    _, stream, hidden, scores, _ = sizes(p)
    L = p["n_layer"]
    return {"gelu_backward": hidden * 6 / 1e6, "causal_softmax_forward": scores / L * 4 / 1e6, "add_layer_norm_forward": stream * 12 / 1e6}
