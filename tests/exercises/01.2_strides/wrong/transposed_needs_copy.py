"""you listed every call on a transposed tensor; what counts is which dimensions the view merges."""


def answers(p):
    return {"copies": [int(i) for i, call in p["calls"].items() if "transpose" in call or "kh" in call]}
