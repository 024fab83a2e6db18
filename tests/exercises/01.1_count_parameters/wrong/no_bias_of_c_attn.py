"""you left out the bias of c_attn, 3C numbers: GPT-2's q, k and v have biases."""


def answers(p):
    C, V, T, L = p["n_embd"], p["vocab_size"], p["block_size"], p["n_layer"]
    block = 12 * C * C + 10 * C
    tied = V * C + T * C + L * block + 2 * C
    return {"block": block, "untied": tied + V * C, "tied": tied}
