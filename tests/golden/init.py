"""init.json: what manual_seed(1337) and the model's constructor leave in every parameter.

For the shapes `tiny` and `gpt2`: step 01's model (untied, torch's default initialisation) and step 04's
(tied, GPT-2's initialisation). Of each parameter: shape, first four values, sum and sum of magnitudes,
both in float64.
"""

import torch

from golden_io import float32_list, write_json
from video_gpt2 import GPT, MODELS

SEED = 1337
STEPS = {"01_module": {"tied": False, "gpt2_init": False}, "04_overfit": {"tied": True, "gpt2_init": True}}


def describe(parameter):
    values = parameter.detach().double()
    return {
        "shape": list(parameter.shape),
        "first": float32_list(parameter.detach().flatten()[:4]),
        "sum": values.sum().item(),
        "abs_sum": values.abs().sum().item(),
    }


def parameters_of(model, step):
    torch.manual_seed(SEED)
    network = GPT(MODELS[model], **STEPS[step])
    return {name: describe(parameter) for name, parameter in network.named_parameters()}


def make(options):
    golden = {model: {step: parameters_of(model, step) for step in STEPS} for model in MODELS}
    write_json(options.out / "init.json", {"seed": SEED} | golden)
    counts = {step: sum(count(p["shape"]) for p in golden["gpt2"][step].values()) for step in STEPS}
    assert counts == {"01_module": 163037184, "04_overfit": 124439808}, counts


def count(shape):
    return torch.Size(shape).numel()
