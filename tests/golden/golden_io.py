"""How goldens are written: JSON for numbers to read, .npy and safetensors for arrays."""

import json
from pathlib import Path

import numpy as np
from safetensors.torch import save_file

ROOT = Path(__file__).resolve().parents[2]


def write_json(path, value):
    """JSON with one short entry a line, so that a diff stays readable."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(_dump(value, 0) + "\n", encoding="utf-8")


def _dump(value, depth):
    flat = json.dumps(value, ensure_ascii=False, allow_nan=False)
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
    if len(flat) <= 100 or depth == 4 or not any(isinstance(child, (dict, list)) for child in children):
        return flat
    if isinstance(value, dict):
        brackets, items = "{}", [f"{json.dumps(k)}: {_dump(v, depth + 1)}" for k, v in value.items()]
    else:
        brackets, items = "[]", [_dump(child, depth + 1) for child in value]
    newline = "\n" + " " * (depth + 1)
    return brackets[0] + newline + ("," + newline).join(items) + newline[:-1] + brackets[1]


def write_tensors(path, tensors, metadata=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: tensor.detach().contiguous() for name, tensor in tensors.items()}, path, metadata)
    path.chmod(0o644)  # safetensors writes 0600


def float32_list(values):
    """The shortest decimals that read back as the same float32."""
    return [float(str(v)) for v in np.asarray(values, dtype=np.float32).ravel()]


def digits9(value):
    """Nine significant digits: any float32 survives them."""
    return float(f"{value:.9g}")
