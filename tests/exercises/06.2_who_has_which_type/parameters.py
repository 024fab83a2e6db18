def parameters(draw):
    stream, key = draw.choice([("x + y", None), ("y + n", None), ("q + y", "q + n")])
    scores = draw.choice(["causal_mask(s)", "s * 0.125"])
    lines = [
        "tok = embedding(wte, idx)",
        "pos = embedding(wpe, arange(T))",
        "x = tok + pos",
        draw.choice(["n = layer_norm(x, w1, b1)", "n = x * 0.5", "n = gelu(x)"]),
        "q = linear(n, w2, b2)",
        "k = " + (key or draw.choice(["linear(x, w3, b3)", "gelu(q)", "q * 0.3", "q + n"])),
        "s = matmul(q, k.transpose(-2, -1))",
        "m = " + scores,
        "p = " + ("softmax(m)" if scores == "causal_mask(s)" else draw.choice(["softmax(m)", "gelu(m)"])),
        "y = matmul(p, n)",
        "u = " + stream,
        draw.choice(["h = gelu(u)", "h = u * 2", "h = layer_norm(u, w4, b4)"]),
        "z = linear(h, wte)",
        "loss = cross_entropy(z, targets)",
    ]
    return {f"line {i + 1}": line for i, line in enumerate(lines)}
