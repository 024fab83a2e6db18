"""you counted what the GELU writes; it also reads as much."""


def answers(p):
    return {"gelu_moved_gb": 4 * p["n_layer"] * p["B"] * p["T"] * p["n_embd"] * 2 / 1e9}
