"""ops.safetensors: a few ops, forward and backward, computed by torch in float64: a check of our own oracles.

Inputs are float32 values; results are rounded to float32 once, at the end. The tensors of a case are
`OP.SHAPE.NAME`, as `layer_norm.3x5x7.dx`. Every case has `x`, `y`, `dy` and `dx`; layer_norm (eps 1e-5)
also `weight`, `bias`, `dweight` and `dbias`; softmax acts on the last dimension; cross_entropy has
`targets` (int32), a scalar `y`, and no `dy` (it is 1).
"""

import torch
from torch.nn import functional as F

from golden_io import write_tensors

DRAW = torch.Generator().manual_seed(1337)


def normal(*shape, scale=1.0):
    """float32 values in float64."""
    return (torch.randn(shape, generator=DRAW) * scale).double()


def differentiate(function, inputs):
    """Results of y = function(*inputs) and of the gradients of sum(y * dy)."""
    inputs = {name: value.requires_grad_() for name, value in inputs.items()}
    y = function(*inputs.values())
    dy = normal(*y.shape) if y.dim() else torch.ones((), dtype=torch.float64)
    y.backward(dy)
    results = {"y": y, "dy": dy} if y.dim() else {"y": y}
    for name, value in inputs.items():
        results |= {name: value, f"d{name}": value.grad}
    return {name: value.detach() for name, value in results.items()}


def layer_norm(*shape):
    # A large mean beside a small spread: a variance as E[x^2] - E[x]^2 would lose all its digits.
    x = (normal(*shape) + 100).float().double()
    inputs = {"x": x, "weight": normal(shape[-1]), "bias": normal(shape[-1])}
    return differentiate(lambda x, w, b: F.layer_norm(x, shape[-1:], w, b, eps=1e-5), inputs)


def gelu(*shape):
    x = normal(*shape, scale=3)
    x.view(-1)[:5] = torch.tensor([0.0, -0.0, 50.0, -50.0, 1e-6]).double()[: x.numel()]
    return differentiate(lambda x: F.gelu(x, approximate="tanh"), {"x": x})


def softmax(*shape):
    return differentiate(lambda x: F.softmax(x, dim=-1), {"x": normal(*shape, scale=10)})


def cross_entropy(rows, columns):
    targets = torch.randint(columns, (rows,), generator=DRAW)
    x = normal(rows, columns, scale=5)
    return differentiate(lambda x: F.cross_entropy(x, targets), {"x": x}) | {"targets": targets}


CASES = {
    layer_norm: [(1, 2), (3, 5, 7), (17, 39)],
    gelu: [(5,), (3, 5, 7), (257,)],
    softmax: [(1, 1), (3, 5, 7), (9, 257)],
    cross_entropy: [(1, 2), (7, 13), (17, 257)],
}


def make(options):
    DRAW.manual_seed(1337)
    tensors = {}
    for op, shapes in CASES.items():
        for shape in shapes:
            case = f"{op.__name__}.{'x'.join(map(str, shape))}"
            for name, value in op(*shape).items():
                value = value.float() if value.is_floating_point() else value.int()
                tensors[f"{case}.{name}"] = value
    write_tensors(options.out / "ops.safetensors", tensors)
