"""you left out the biases: c_attn has 3C, c_proj C, c_fc 4C and the MLP's c_proj C of them."""


def answers(p):
    C, V, T, L = p["n_embd"], p["vocab_size"], p["block_size"], p["n_layer"]
    block = 12 * C * C + 4 * C
    tied = V * C + T * C + L * block + 2 * C
    return {"block": block, "untied": tied + V * C, "tied": tied}
