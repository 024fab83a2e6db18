"""you left out ln_f, the LayerNorm after the last block: 2C numbers."""


def answers(p):
    C, V, T, L = p["n_embd"], p["vocab_size"], p["block_size"], p["n_layer"]
    tied = V * C + T * C + L * (12 * C * C + 13 * C)
    return {"untied": tied + V * C, "tied": tied}
