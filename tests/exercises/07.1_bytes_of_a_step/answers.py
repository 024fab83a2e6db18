def sizes(p):
    """Numbers of elements: parameters, one residual stream, one hidden layer, the scores of all layers, the logits."""
    B, T, L, C, V = p["B"], p["T"], p["n_layer"], p["n_embd"], p["vocab_size"]
    parameters = V * C + p["block_size"] * C + L * (12 * C * C + 13 * C) + 2 * C
    return parameters, B * T * C, 4 * B * T * C, L * B * p["n_head"] * T * T, B * T * V


def answers(p):
    parameters, stream, hidden, scores, logits = sizes(p)
    L = p["n_layer"]
    first = stream * (4 + 4 + 2) + 4 * p["T"] * p["n_embd"]  # its branch is the position embeddings, (T, C) in float32
    return {
        "adamw": 16 * parameters / 1e6,
        "gelu_backward": L * hidden * 6 / 1e6,
        "causal_softmax_forward": scores * 4 / 1e6,
        "add_layer_norm_forward": (first + 2 * L * stream * 12) / 1e6,
        "cross_entropy_backward": logits * 8 / 1e6,
        "saved_ms": scores * (58 - 12) / (p["tb_per_second"] * 1e12) * 1e3,
    }
