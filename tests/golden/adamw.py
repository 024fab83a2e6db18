"""adamw.safetensors: ten steps of torch.optim.AdamW on given gradients, for two sets of options.

SET is `default` (lr 3e-4, betas 0.9 0.999, eps 1e-8, weight decay 0.01) or `video` (lr 6e-4, betas 0.9
0.95, eps 1e-8, weight decay 0.1), PARAMETER is `vector` (5) or `matrix` (3, 7). Tensors:
`PARAMETER.start`, `PARAMETER.grad` (10, ...) and, as they are after each step, `SET.PARAMETER.weight`,
`SET.PARAMETER.exp_avg` and `SET.PARAMETER.exp_avg_sq` (10, ...).
"""

import numpy as np
import torch

from golden_io import write_tensors

STEPS = 10
SETS = {
    "default": {"lr": 3e-4},
    "video": {"lr": 6e-4, "betas": (0.9, 0.95), "eps": 1e-8, "weight_decay": 0.1},
}


def inputs():
    """Gradients of many magnitudes: zeros, and some so small that eps decides the step."""
    draw = np.random.default_rng(1337)
    tensors = {}
    for name, shape in (("vector", (5,)), ("matrix", (3, 7))):
        scale = 10.0 ** draw.uniform(-9, 2, size=(STEPS, *shape)) * (draw.random((STEPS, *shape)) > 0.1)
        tensors[f"{name}.start"] = torch.from_numpy(draw.normal(size=shape)).float()
        tensors[f"{name}.grad"] = torch.from_numpy(draw.normal(size=(STEPS, *shape)) * scale).float()
    return tensors


def run(start, grads, options):
    parameter = torch.nn.Parameter(start.clone())
    optimizer = torch.optim.AdamW([parameter], **options)
    history = {"weight": [], "exp_avg": [], "exp_avg_sq": []}
    for grad in grads:
        parameter.grad = grad.clone()
        optimizer.step()
        history["weight"].append(parameter.detach().clone())
        for moment in ("exp_avg", "exp_avg_sq"):
            history[moment].append(optimizer.state[parameter][moment].clone())
    return {name: torch.stack(values) for name, values in history.items()}


def make(options):
    tensors = inputs()
    for set_, settings in SETS.items():
        for parameter in ("vector", "matrix"):
            history = run(tensors[f"{parameter}.start"], tensors[f"{parameter}.grad"], settings)
            tensors |= {f"{set_}.{parameter}.{name}": values for name, values in history.items()}
    write_tensors(options.out / "adamw.safetensors", tensors)
