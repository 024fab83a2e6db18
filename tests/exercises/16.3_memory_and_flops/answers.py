# Rows of C values that a block keeps per token: the two sums and the two LayerNorms, q k v, attention's result, and the MLP's hidden layer before and
# after the GELU.
ROWS = {"none": 2 + 2 + 3 + 1 + 4 + 4, "gelu": 2 + 2 + 3 + 1 + 4, "layernorm": 2 + 3 + 1 + 4, "block": 2}


def kept_gb(p, mode):
    return ROWS[mode] * p["n_layer"] * p["B"] * p["T"] * p["n_embd"] * 2 / 1e9


def flops(p):
    """Operations per token: of all products, and of the blocks' forward pass."""
    L, C, V, T = p["n_layer"], p["n_embd"], p["vocab_size"], p["T"]
    return 6 * (12 * L * C * C + V * C) + 12 * L * C * T, 24 * L * C * C + 4 * L * C * T


def answers(p):
    every, blocks = flops(p)
    return {
        **{f"{mode}_gb": kept_gb(p, mode) for mode in ROWS},
        "mode": next(mode for mode in ROWS if kept_gb(p, mode) <= p["budget_gb"]),
        "gelu_moved_gb": 2 * 4 * p["n_layer"] * p["B"] * p["T"] * p["n_embd"] * 2 / 1e9,
        "block_flops_percent": 100 * blocks / every,
    }
