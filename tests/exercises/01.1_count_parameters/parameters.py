def parameters(draw):
    n_head = draw.choice([3, 5, 6, 7, 9, 10, 11])
    return {
        "n_layer": draw.randint(5, 40),
        "n_head": n_head,
        "n_embd": 64 * n_head,
        "vocab_size": draw.randint(20000, 60000),
        "block_size": draw.choice([256, 384, 512, 640, 2048]),
    }
