import pathlib
import runpy


def parameters(draw):
    n_head = draw.choice([8, 10, 12, 16, 20, 25])
    p = {
        "B": draw.choice([4, 8, 16, 24, 32]),
        "T": draw.choice([512, 1024, 2048]),
        "n_layer": draw.randint(10, 60),
        "n_head": n_head,
        "n_embd": 64 * n_head,
        "vocab_size": 128 * draw.randint(200, 500),
    }
    kept_gb = runpy.run_path(str(pathlib.Path(__file__).parent / "answers.py"))["kept_gb"]
    # Between two modes, not near either: a budget for none, gelu or layernorm.
    smaller, larger = draw.choice([("none", None), ("gelu", "none"), ("layernorm", "gelu")])
    low = kept_gb(p, smaller)
    high = kept_gb(p, larger) if larger else 1.5 * low
    p["budget_gb"] = round(low + draw.uniform(0.3, 0.7) * (high - low), 3)
    return p
