FREE = [
    "k.view({B * T, C})",
    "kh.slice(1, 0, 1).view({B * T, hs})",
    "kh.slice(2, 0, 1).view({B, C})",
    "kh.transpose(1, 2).view({B, T, C})",
    "kh.transpose(1, 2).view({B * T, nh, hs})",
    "y.view({B * nh, T, hs})",
]
COPIES = [
    "k.view({B, T * C})",
    "kh.view({B * nh, T, hs})",
    "kh.view({B, nh, T * hs})",
    "kh.transpose(-2, -1).view({B, nh, hs * T})",
    "y.transpose(1, 2).view({B, T, C})",
    "y.transpose(-2, -1).view({B * nh, hs * T})",
]


def parameters(draw):
    T, nh = draw.randint(5, 40), draw.choice([3, 5, 6, 7])
    calls = draw.sample(FREE, 3) + draw.sample(COPIES, 3)
    draw.shuffle(calls)
    return {
        "B": draw.randint(2, 4),
        "T": T,
        "nh": nh,
        "hs": draw.choice([8, 10, 12, 20]),
        "head": draw.randint(1, nh - 1),
        "token": draw.randint(1, T - 1),
        "calls": {str(i + 1): call for i, call in enumerate(calls)},
    }
