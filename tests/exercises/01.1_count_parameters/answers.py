def answers(p):
    C, V, T, L = p["n_embd"], p["vocab_size"], p["block_size"], p["n_layer"]
    layer_norm = 2 * C
    attention = (C * 3 * C + 3 * C) + (C * C + C)
    mlp = (C * 4 * C + 4 * C) + (4 * C * C + C)
    block = 2 * layer_norm + attention + mlp
    tied = V * C + T * C + L * block + layer_norm
    return {"block": block, "untied": tied + V * C, "tied": tied, "megabytes": 4 * tied / 1e6}
