"""these are the strides of a new tensor of this shape: transpose does not move data, it swaps two strides."""


def answers(p):
    B, T, nh, hs = p["B"], p["T"], p["nh"], p["hs"]
    C = nh * hs
    return {
        "b": [[B, nh, T, hs], [C * T, T * hs, hs, 1], C],
        "c": [[B, nh, hs, T], [C * T, hs * T, T, 1], C],
        "f": [[B, T, nh, hs], [C * T, nh * hs, hs, 1], 0],
        "bytes": 16 * B * T * C,
    }
