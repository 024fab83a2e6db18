"""you counted the tied matrix twice: wte.weight and lm_head.weight are one tensor."""


def answers(p):
    C, V, T, L = p["n_embd"], p["vocab_size"], p["block_size"], p["n_layer"]
    untied = 2 * V * C + T * C + L * (12 * C * C + 13 * C) + 2 * C
    return {"tied": untied, "megabytes": 4 * untied / 1e6}
