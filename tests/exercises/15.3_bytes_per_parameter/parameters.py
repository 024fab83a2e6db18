import math


def parameters(draw):
    n_head = draw.choice([8, 10, 12, 16, 20, 25])
    size = math.exp(draw.uniform(math.log(0.003), math.log(3)))
    unit = 2.0 ** (math.floor(math.log2(size)) - 7)
    weight = draw.choice([-1, 1]) * math.floor(size / unit) * unit  # a bf16 number
    half = 2.0 ** (math.floor(math.log2(abs(weight))) - 8)
    # Between the half units of the neighbouring powers of two, so that a unit in place of its half is noticed.
    factor = draw.choice([draw.uniform(0.1, 0.45), draw.uniform(1.1, 1.9)])
    return {
        "n_layer": draw.randint(8, 60),
        "n_head": n_head,
        "n_embd": 64 * n_head,
        "vocab_size": 128 * draw.randint(200, 500),
        "block_size": draw.choice([1024, 2048]),
        "weight": weight,
        "update": float(f"{math.copysign(half * factor, weight):.6g}"),
    }
