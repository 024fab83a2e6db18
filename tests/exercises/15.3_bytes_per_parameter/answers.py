import math


def number_of_parameters(p):
    L, C = p["n_layer"], p["n_embd"]
    return p["vocab_size"] * C + p["block_size"] * C + L * (12 * C * C + 13 * C) + 2 * C


def half_unit(x):
    return 2.0 ** (math.floor(math.log2(abs(x))) - 8)  # 7 bits of mantissa: a unit is 2^(exponent - 7)


def answers(p):
    n = number_of_parameters(p)
    half = half_unit(p["weight"])
    return {
        "autocast_gb": n * (4 + 4 + 8 + 2) / 1e9,
        "masters_gb": n * (2 + 2 + 8 + 4) / 1e9,
        "no_masters_gb": n * (2 + 2 + 8) / 1e9,
        # reads master, gradient and moments; writes master, moments and the bf16 weight
        "moved_gb": n * (4 + 2 + 8 + 4 + 8 + 2) / 1e9,
        "half_unit": half,
        "nearest_moves": abs(p["update"]) > half,
        "steps_to_move": 2 * half / abs(p["update"]),
    }
