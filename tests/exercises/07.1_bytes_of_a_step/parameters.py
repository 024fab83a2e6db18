def parameters(draw):
    n_head = draw.choice([6, 8, 10, 14, 16, 20])
    return {
        "B": draw.choice([6, 8, 12, 16, 24]),
        "T": draw.choice([320, 384, 512, 640, 768]),
        "n_layer": draw.randint(8, 36),
        "n_head": n_head,
        "n_embd": 64 * n_head,
        "vocab_size": draw.randint(20000, 60000),
        "block_size": draw.choice([1024, 2048]),
        "tb_per_second": draw.choice([0.9, 1.6, 2.0, 3.35, 8.0]),
    }
