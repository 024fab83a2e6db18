def parameters(draw):
    n_head = draw.choice([12, 16, 20, 25, 32])
    p = {
        "n_layer": draw.randint(12, 60),
        "n_head": n_head,
        "n_embd": 64 * n_head,
        "vocab_size": 128 * draw.randint(200, 500),
        "block_size": draw.choice([1024, 2048]),
        "ranks": draw.choice([3, 4, 6, 8, 12, 16]),
        "micro_batches": draw.randint(4, 40),
    }
    L, C = p["n_layer"], p["n_embd"]
    gb = (p["vocab_size"] * C + p["block_size"] * C + L * (12 * C * C + 13 * C) + 2 * C) / 1e9
    # Between what two neighbouring numbers of ranks need, so that rounding is unmistakable.
    p["room_gb"] = float(f"{4 * gb + 12 * gb / (draw.randint(2, 9) + 0.5):.6g}")
    return p
