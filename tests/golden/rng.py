"""rng.json: what torch's CPU generator draws, by the algorithms that rng_reference.py describes.

A stream is a generator after manual_seed and `skip` raw 32-bit outputs; its draws follow one another.
"""

import numpy as np
import torch

import rng_reference
from golden_io import float32_list, write_json

SEED = 1337


def uniform(n, low=0.0, high=1.0):
    values = torch.empty(n).uniform_(low, high)
    return {"op": "uniform", "low": low, "high": high, "size": n, "values": float32_list(values)}


def normal(n, mean=0.0, std=1.0):
    values = torch.empty(n).normal_(mean, std)
    return {"op": "normal", "mean": mean, "std": std, "size": n, "values": float32_list(values)}


def exponential(n, rate=1.0):
    values = torch.empty(n).exponential_(rate)
    return {"op": "exponential", "rate": rate, "size": n, "values": float32_list(values)}


def multinomial(rows, columns, seed):
    """Rows as top-k sampling has them: descending, not normalised; the last row ends in zeros."""
    p = np.random.default_rng(seed).gamma(0.3, size=(rows, columns)).astype(np.float32)
    p = -np.sort(-p, axis=1)
    p[-1, columns // 2 + 1 :] = 0
    values = torch.multinomial(torch.from_numpy(p), 1).ravel().tolist()
    entry = {"op": "multinomial", "rows": rows, "columns": columns, "size": rows * columns}
    return entry | {"probabilities": float32_list(p), "values": values}


def rand(n):
    """torch.rand(n) is uniform_(0, 1): recorded as that, so that a replay needs four operations."""
    return {"op": "uniform", "low": 0.0, "high": 1.0, "size": n, "values": float32_list(torch.rand(n))}


def stream(name, draws, skip=0):
    torch.manual_seed(SEED)
    torch.rand(skip)  # one raw output a value
    return {"name": name, "seed": SEED, "skip": skip, "draws": [draw() for draw in draws]}


def mixed_draws():
    sizes = (3, 15, 16, 17, 31, 100, 1000)
    scales = ((0.0, 1.0), (0.0, 0.02))
    return [lambda n=n, mean=mean, std=std: normal(n, mean, std) for n in sizes for mean, std in scales] + [
        lambda: uniform(5),
        lambda: normal(1),
        lambda: exponential(3),
        lambda: normal(2, 0.5, 2.0),
    ]


def streams():
    yield stream("uniform", [lambda n=n: uniform(n) for n in (1, 5, 17)])
    yield stream(
        "uniform in a range", [lambda n=n: uniform(n, -0.0883883461, 0.0883883461) for n in (1, 17, 100)]
    )
    yield stream("rand", [lambda: rand(7), lambda: rand(20)])
    yield stream("normal", mixed_draws())
    yield stream("exponential", [lambda: exponential(20), lambda: exponential(5, 2.5)])
    shapes = [(5, 50), (5, 50), (5, 50), (1, 257), (3, 1)]
    yield stream("multinomial", [lambda i=i, s=s: multinomial(*s, seed=i) for i, s in enumerate(shapes)])
    later = [lambda: uniform(5), lambda: normal(17), lambda: normal(3), lambda: exponential(3)]
    yield stream("after 10000 outputs", later, skip=10000)


def make(options):
    golden = {"streams": list(streams())}
    write_json(options.out / "rng.json", golden)
    for name, difference in rng_reference.largest_differences(golden).items():
        print(f"  {name:14} max |torch - reference| = {difference:.3g}")
        assert (
            difference <= 5e-7
        ), f"torch {torch.__version__} draws {name} in another way than rng_reference.py"
