def parameters(draw):
    C = draw.choice([256, 320, 384, 512, 640, 768, 1024])
    # Far from 1, where the variance and the standard deviation are the same number.
    variance = draw.choice([draw.uniform(0.3, 0.8), draw.uniform(1.25, 1.6)])
    return {
        "vocab_size": draw.randint(10000, 60000),
        "n_embd": C,
        "sigma": round((variance / C) ** 0.5, 4),
        "excess": draw.choice([0.01, 0.02, 0.03, 0.05]),
    }
